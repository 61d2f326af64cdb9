import { monitorEventLoopDelay } from "node:perf_hooks";
import type pg from "pg";
import type { App } from "../app.ts";
import { inTime, plusMs } from "../clock.ts";
import { errorFacts } from "../log.ts";
import type { GaugeName } from "./metric.ts";
import type { Tell } from "./observer.ts";
import { readVitals, VITAL_GAUGES, type Vital } from "./vitals.ts";

/** How old what is told of the database may be: however many ask for metrics, it is asked once in this time. */
const VITALS_MS = 10_000;
// Sooner than whoever asks gives up: when the database says nothing, the other metrics say so.
const ANSWER_MS = 3_000;
const LATE = new Error(`the database did not answer within ${ANSWER_MS} ms`);
const DELAY_WINDOW_MS = 10_000;
const NANOSECONDS = 1e9;

const POOL_GAUGES = [
  "usageflow_database_connections",
  "usageflow_database_connections_max",
  "usageflow_database_requests_waiting",
] as const satisfies GaugeName[];

/** The pools of a process. */
export type Pools = Record<"app" | "worker", pg.Pool>;

/** Has the gauges of this process read, and those of the database. */
export function watchProcess(app: App, pools: Pools): void {
  const { observer } = app;
  observer.watch(POOL_GAUGES, (tell) => tellPools(tell, pools));
  observer.watch(["usageflow_event_loop_delay_seconds"], delayReader(app));
  const vitals = vitalsReader(app);
  observer.watch(VITAL_GAUGES, async (tell) => {
    for (const { name, labels, value } of await vitals()) tell(name, labels, value);
  });
}

function tellPools(tell: Tell, pools: Pools): void {
  for (const [pool, { totalCount, idleCount, waitingCount, options }] of Object.entries(pools)) {
    tell("usageflow_database_connections", { pool, state: "used" }, totalCount - idleCount);
    tell("usageflow_database_connections", { pool, state: "idle" }, idleCount);
    tell("usageflow_database_connections_max", { pool }, options.max);
    tell("usageflow_database_requests_waiting", { pool }, waitingCount);
  }
}

/** Several may ask, each at times of its own: what has been counted is thrown away when it is old, and not when it is read. */
function delayReader({ clock }: App): (tell: Tell) => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let since = clock.now();
  return (tell) => {
    for (const quantile of [0.5, 0.99, 1]) {
      const value = delay.count === 0 ? 0 : delay.percentile(quantile * 100) / NANOSECONDS;
      tell("usageflow_event_loop_delay_seconds", { quantile: String(quantile) }, value);
    }
    if (clock.now() < plusMs(since, DELAY_WINDOW_MS)) return;
    since = clock.now();
    delay.reset();
  };
}

/** What was read last, while that is young enough. Those who ask at the same time wait for the same answer. */
function vitalsReader(app: App): () => Promise<readonly Vital[]> {
  let last: { at: Date; vitals: Promise<readonly Vital[]> } | undefined;
  const read = () =>
    inTime(ANSWER_MS, readVitals(app), LATE).catch((error): readonly Vital[] => {
      app.observer.count("usageflow_vitals_failures_total", {});
      app.log.warn("observe.no_vitals", errorFacts(error));
      return [];
    });
  return () => {
    const now = app.clock.now();
    if (!last || now >= plusMs(last.at, VITALS_MS)) last = { at: now, vitals: read() };
    return last.vitals;
  };
}
