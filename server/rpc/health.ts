import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.ts";
import { systemClock } from "../clock.ts";
import type { ReadinessCheck } from "../readiness.ts";
import type { Authenticator } from "./authenticate.ts";
import { overloaded } from "./errors.ts";
import { machineOf, type Origin, originKey } from "./origin.ts";
import { Places } from "./places.ts";

// How often a client that watches is told of a change.
const WATCH_EVERY_MS = 2_000;
// When a client may try again that found too many watching: one of them has to end first.
const RETRY_MS = 5_000;

/**
 * Whether each service takes calls, as grpc.health.v1 asks it. The empty name stands for the whole process: its work in the
 * background is part of it, where it does any.
 */
export class HealthState {
  readonly #services: readonly string[];
  readonly #readiness: ReadinessCheck;
  readonly #watches: Places;
  readonly #authenticator: Authenticator;
  readonly #stopping = new AbortController();
  #pause: Promise<void> | undefined;

  /** `watchesMax`: how many calls may watch at once. Each lasts as long as its client likes, and may be a stranger's. */
  constructor(
    services: readonly string[],
    readiness: ReadinessCheck,
    { watchesMax, authenticator }: { watchesMax: number; authenticator: Authenticator },
  ) {
    this.#services = services;
    this.#readiness = readiness;
    this.#watches = new Places(watchesMax);
    this.#authenticator = authenticator;
  }

  /** Tells those who watch that nothing is served any more: the server is stopping. */
  stop(): void {
    this.#stopping.abort();
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
      watch: ({ service }, call) => this.#watch(service, call),
    });
  }

  async #statusOf(service: string): Promise<Status> {
    if (service !== "" && !this.#services.includes(service)) return Status.SERVICE_UNKNOWN;
    const { status, reasons } = await this.#readiness.look();
    if (status === "stopping") return Status.NOT_SERVING;
    const serves = service === "" ? status === "ready" : reasons.length === 0;
    return serves ? Status.SERVING : Status.NOT_SERVING;
  }

  async *#watch(service: string, { signal, values }: HandlerContext) {
    const leave = this.#enter(values.get(originKey));
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true }); // nobody goes on with a generator whose client is gone
    try {
      let last: Status | undefined;
      while (!signal.aborted) {
        const stopped = this.#readiness.stopping;
        const status = await this.#statusOf(service);
        if (status !== last) yield { status };
        last = status;
        if (stopped) return; // or the stream would hold up the stop
        await this.#nextLook();
      }
    } finally {
      leave();
    }
  }

  /** Takes a place for a call that watches, until what it answers is called. Refuses it to a machine that has its share. */
  #enter(origin: Origin): () => void {
    const machine = machineOf(this.#authenticator.addressOf(origin));
    if (!this.#watches.hasRoom(machine))
      throw overloaded("too many calls from this address watch health here: end one, or call Check", RETRY_MS);
    this.#watches.hold(machine);
    let isHeld = true;
    return () => {
      if (isHeld) this.#watches.giveBack(machine);
      isHeld = false;
    };
  }

  /** Waits for a while, or until the server is stopping: all who watch at once, so that each of them costs next to nothing. */
  #nextLook(): Promise<void> {
    this.#pause ??= systemClock.sleep(WATCH_EVERY_MS, this.#stopping.signal).finally(() => {
      this.#pause = undefined;
    });
    return this.#pause;
  }
}
