import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import { type Caller, callerKey } from "./caller.ts";
import { overloaded, rateLimited } from "./errors.ts";
import { FairShare } from "./fair-share.ts";
import { watchLoopDelay } from "./loop-delay.ts";
import { Rate } from "./rate.ts";
import { Slots } from "./slots.ts";

/** Who may come in, and when: what one tenant sends too much of is refused to it, and not to others. */
export interface Admission {
  /** Refuses a call before its body is read: of who sends more than they may, or their share while the server is late. */
  admit(caller: Caller, method: DescMethod): void;
  /** Counts the usage events of a call. Refuses all of them when none is left to who sends them. */
  admitEvents(caller: Caller, count: number): void;
  /** Gives calls that work on the database their turn. */
  readonly turns: Interceptor;
  close(): void;
}

// Connections that calls leave to what all calls need: storing usage, looking up keys.
const SPARE_CONNECTIONS = 2;

/** Admission to one process; others count for themselves. */
export function createAdmission(app: App, delay = watchLoopDelay()): Admission {
  const { config } = app;
  const rate = (perSecond: number) => new Rate(perSecond, config.rateBurstSeconds);
  const calls = { key: rate(config.keyCallsPerSecond), tenant: rate(config.tenantCallsPerSecond) };
  const events = { key: rate(config.keyEventsPerSecond), tenant: rate(config.tenantEventsPerSecond) };
  const share = new FairShare();
  const slots = new Slots({
    places: Math.max(2, config.databaseConnectionsMax - SPARE_CONNECTIONS),
    waitingMax: config.callsWaitingMax,
    waitMaxMs: config.waitMaxMs,
  });

  const inShare = ({ tenantId }: Caller) => {
    if (config.eventLoopDelayMaxMs === 0) return;
    const lateMs = delay.windowEnded();
    if (lateMs !== undefined) share.next(lateMs > config.eventLoopDelayMaxMs);
    if (!share.take(tenantId))
      throw overloaded("the server has more to do than it can, and this tenant sends most of it");
  };
  const withinRates = ({ keyId, tenantId }: Caller, rates: typeof calls, count: number, noun: string) => {
    const now = app.clock.now().getTime();
    const keyMs = rates.key.waitMs(keyId, now);
    const tenantMs = rates.tenant.waitMs(tenantId, now);
    if (keyMs > 0 || tenantMs > 0) {
      const who = tenantMs >= keyMs ? "tenant" : "API key";
      throw rateLimited(`this ${who} sends more ${noun} than it may`, Math.max(keyMs, tenantMs));
    }
    rates.key.take(keyId, count, now);
    rates.tenant.take(tenantId, count, now);
  };
  return {
    admit(caller, method) {
      inShare(caller);
      // How many events there are is known when they have been read; whether there is room for any is known now.
      if (isTracking(method)) withinRates(caller, events, 0, "usage events");
      else withinRates(caller, calls, 1, "calls");
    },
    admitEvents: (caller, count) => withinRates(caller, events, count, "usage events"),
    turns: (next) => (request) => {
      const caller = request.contextValues.get(callerKey);
      // What streams is counted apart, and usage has a queue of its own, which takes one connection.
      if (!caller || request.stream || isTracking(request.method)) return next(request);
      return slots.run(caller.tenantId, async () => next(request));
    },
    close: () => delay.close(),
  };
}

function isTracking(method: DescMethod): boolean {
  return method === UsageService.method.trackUsage;
}
