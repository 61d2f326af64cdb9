import { EventEmitter, on } from "node:events";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.ts";

/** Whether each service takes calls, as grpc.health.v1 asks it. The empty name stands for the whole server. */
export class HealthState {
  readonly #status = new Map<string, Status>();
  readonly #changes = new EventEmitter().setMaxListeners(0);

  constructor(services: readonly string[]) {
    for (const service of ["", ...services]) this.#status.set(service, Status.SERVING);
  }

  /** Says that nothing is served any more: the server is stopping. */
  stop(): void {
    for (const service of this.#status.keys()) this.#status.set(service, Status.NOT_SERVING);
    this.#changes.emit("change");
  }

  /** Answers grpc.health.v1.Health. */
  register(router: ConnectRouter): void {
    router.service(Health, {
      check: ({ service }) => {
        const status = this.#status.get(service);
        if (status === undefined) throw new ConnectError(`there is no service "${service}"`, Code.NotFound);
        return { status };
      },
      list: () => ({
        statuses: Object.fromEntries([...this.#status].map(([service, status]) => [service, { status }])),
      }),
      watch: ({ service }, call) => this.#watch(service, call.signal),
    });
  }

  async *#watch(service: string, signal: AbortSignal) {
    const changes = on(this.#changes, "change", { signal });
    const status = () => this.#status.get(service) ?? Status.SERVICE_UNKNOWN;
    let last = status();
    yield { status: last };
    try {
      for await (const _ of changes) {
        if (status() === last) continue;
        last = status();
        yield { status: last };
        if (last === Status.NOT_SERVING) return; // or the stream would hold up the stop
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
