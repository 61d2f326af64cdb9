import type { App } from "../app.ts";
import { outsideCall } from "../db/call-time.ts";
import { inTenant } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { timeOf } from "../tenant/tenant-clock.ts";

/** What must be known of a tenant to judge an event. */
export interface TenantFacts {
  /** The tenant's time. */
  readonly now: Date;
  readonly backfillWindowS: number;
  readonly metrics: ReadonlyMap<string, MetricFacts>;
}

export interface MetricFacts {
  readonly aggregation: string;
  /** Empty but for UNIQUE. */
  readonly uniqueProperty: string;
}

// Metrics and settings are read at most this often for each live tenant that sends usage.
const KEPT_MS = 5_000;
const TENANTS_MAX = 10_000;

/** Answers what is known of the caller's tenant; when it is to know `metric` too, it looks again before it does not. */
export type FactReader = (caller: Caller, metrics: readonly string[]) => TenantFacts | Promise<TenantFacts>;

/** A reader with a memory of some seconds for live tenants. A test tenant's clock may have just moved: it is read again. */
export function createFactReader(app: App): FactReader {
  const kept = new Map<string, { facts: TenantFacts; until: number }>();
  const readAgain = shared((tenantId) => readFacts(app, tenantId));
  return (caller, metrics) => {
    const entry = kept.get(caller.tenantId);
    const now = app.clock.now();
    const fresh = caller.kind === "LIVE" && entry && entry.until > now.getTime();
    if (fresh && metrics.every((metric) => entry.facts.metrics.has(metric))) return { ...entry.facts, now };
    return readAgain(caller.tenantId).then((facts) => {
      if (kept.size >= TENANTS_MAX) kept.clear();
      kept.set(caller.tenantId, { facts, until: now.getTime() + KEPT_MS });
      return facts;
    });
  };
}

/** Lets callers that wait at the same time share one read, but never one that began before they asked. */
function shared<T>(read: (id: string) => Promise<T>): (id: string) => Promise<T> {
  const reads = new Map<string, { running: Promise<T>; next?: Promise<T> }>();
  const start = (id: string): Promise<T> => {
    const running = outsideCall(() => read(id)).finally(() => {
      if (reads.get(id)?.running === running) reads.delete(id);
    });
    reads.set(id, { running });
    return running;
  };
  return (id) => {
    const entry = reads.get(id);
    if (!entry) return start(id);
    const again = () => start(id);
    entry.next ??= entry.running.then(again, again);
    return entry.next;
  };
}

function readFacts(app: App, tenantId: string): Promise<TenantFacts> {
  return inTenant(app.db, tenantId, async (tx) => {
    const tenant = await tx
      .selectFrom("tenant")
      .select(["clock_frozen_at", "clock_offset_ms", "clock_target", "backfill_window_s"])
      .where("tenant_id", "=", tenantId)
      .executeTakeFirstOrThrow();
    const metrics = await tx
      .selectFrom("metric")
      .select(["key", "aggregation", "unique_property"])
      .where("tenant_id", "=", tenantId)
      .execute();
    return {
      now: timeOf(tenant, app.clock),
      backfillWindowS: tenant.backfill_window_s,
      metrics: new Map(
        metrics.map((row) => [row.key, { aggregation: row.aggregation, uniqueProperty: row.unique_property }]),
      ),
    };
  });
}
