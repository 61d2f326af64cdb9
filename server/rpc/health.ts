import { EventEmitter, once } from "node:events";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.ts";
import { systemClock } from "../clock.ts";
import type { ReadinessCheck } from "../readiness.ts";

// How often a client that watches is told of a change.
const WATCH_EVERY_MS = 2_000;

/**
 * Whether each service takes calls, as grpc.health.v1 asks it. The empty name stands for the whole process: its work in the
 * background is part of it, where it does any.
 */
export class HealthState {
  readonly #services: readonly string[];
  readonly #readiness: ReadinessCheck;
  readonly #stop = new EventEmitter().setMaxListeners(0);

  constructor(services: readonly string[], readiness: ReadinessCheck) {
    this.#services = services;
    this.#readiness = readiness;
  }

  /** Tells those who watch that nothing is served any more: the server is stopping. */
  stop(): void {
    this.#stop.emit("stop");
  }

  /** Answers grpc.health.v1.Health. */
  register(router: ConnectRouter): void {
    router.service(Health, {
      check: async ({ service }) => {
        const status = await this.#statusOf(service);
        if (status === Status.SERVICE_UNKNOWN)
          throw new ConnectError(`there is no service "${service}"`, Code.NotFound);
        return { status };
      },
      list: async () => {
        const names = ["", ...this.#services];
        const statuses = await Promise.all(
          names.map(async (name) => [name, { status: await this.#statusOf(name) }] as const),
        );
        return { statuses: Object.fromEntries(statuses) };
      },
      watch: ({ service }, call) => this.#watch(service, call.signal),
    });
  }

  async #statusOf(service: string): Promise<Status> {
    if (service !== "" && !this.#services.includes(service)) return Status.SERVICE_UNKNOWN;
    const { status, reasons } = await this.#readiness.look();
    if (status === "stopping") return Status.NOT_SERVING;
    const serves = service === "" ? status === "ready" : reasons.length === 0;
    return serves ? Status.SERVING : Status.NOT_SERVING;
  }

  async *#watch(service: string, signal: AbortSignal) {
    let last: Status | undefined;
    while (!signal.aborted) {
      const stopped = this.#readiness.stopping;
      const status = await this.#statusOf(service);
      if (status !== last) yield { status };
      last = status;
      if (stopped) return; // or the stream would hold up the stop
      await this.#nextLook(signal);
    }
  }

  /** Waits for a while, or until the server is stopping. */
  async #nextLook(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const early = once(this.#stop, "stop", { signal: AbortSignal.any([signal, over.signal]) }).catch(() => {});
    await Promise.race([systemClock.sleep(WATCH_EVERY_MS, AbortSignal.any([signal, over.signal])), early]);
    over.abort();
  }
}
