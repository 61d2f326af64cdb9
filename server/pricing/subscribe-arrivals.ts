import type { SqlBool } from "kysely";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { makeDue, settleDue, takeDue } from "../tenant/due.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { earliestOpenPeriod, periodAt } from "./billing-period.ts";
import { findDefaultPlan } from "./plan.ts";
import { newSubscription, periodDueAt } from "./subscription.ts";

// Enough to share the cost of a transaction, few enough to keep it short.
const BATCH_MAX = 500;

interface Arrival {
  customer_id: string;
  /** The hour of its earliest usage that is not in a closed period. */
  first_hour: Date | null;
  /** Whether it has a subscription, to whatever plan. */
  subscribed: SqlBool;
}

/**
 * Subscribes customers first seen in usage to the default plan, from the calendar period of their earliest usage that is
 * not closed on, or from the present one. Who is subscribed to something already stays with that. Without a default plan
 * they wait for one. Answers how many were looked at.
 */
export function subscribeArrivals(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await takeDue(tx, tenantId, "SUBSCRIBE_ARRIVALS", now))) return 0;
    const plan = await findDefaultPlan(tx, tenantId);
    const open = earliestOpenPeriod(now, await gracePeriodMs(tx, tenantId));
    const arrivals = plan ? await readArrivals(tx, tenantId, open.start) : [];
    if (plan && arrivals.length > 0) await subscribe(tx, tenantId, plan, now, arrivals);
    await settleDue(tx, tenantId, "SUBSCRIBE_ARRIVALS", arrivals.length === BATCH_MAX ? now : null);
    return arrivals.length;
  });
}

function readArrivals(tx: Tx, tenantId: string, openFrom: Date): Promise<Arrival[]> {
  return tx
    .selectFrom("customer_arrival")
    .select("customer_id")
    .select((query) =>
      query
        .selectFrom("usage_bucket")
        .select((bucket) => bucket.fn.min("hour").as("first_hour"))
        .where("tenant_id", "=", tenantId)
        .whereRef("usage_bucket.customer_id", "=", "customer_arrival.customer_id")
        .where("hour", ">=", openFrom)
        .as("first_hour"),
    )
    .select((query) =>
      query
        .exists(
          query
            .selectFrom("subscription")
            .select("id")
            .where("tenant_id", "=", tenantId)
            .whereRef("subscription.customer_id", "=", "customer_arrival.customer_id")
            .where("due_at", "is not", null),
        )
        .as("subscribed"),
    )
    .where("tenant_id", "=", tenantId)
    .orderBy("customer_id")
    .limit(BATCH_MAX)
    .execute();
}

async function subscribe(tx: Tx, tenantId: string, plan: Plan, now: Date, arrivals: readonly Arrival[]): Promise<void> {
  const rows = arrivals
    .filter((arrival) => !arrival.subscribed)
    .map(({ customer_id, first_hour }) => newSubscription(tenantId, customer_id, plan, periodAt(first_hour ?? now)));
  if (rows.length > 0) {
    await tx
      .insertInto("subscription")
      .values(rows)
      // One that was started by a call meanwhile stands.
      .onConflict((conflict) =>
        conflict.columns(["tenant_id", "customer_id", "plan_key"]).where("due_at", "is not", null).doNothing(),
      )
      .execute();
    const [first] = rows.map((row) => periodDueAt(plan, { start: row.period_start, end: row.period_end })).sort(byTime);
    await makeDue(tx, tenantId, "CLOSE_PERIODS", first ?? null);
  }
  const seen = arrivals.map((arrival) => arrival.customer_id);
  await tx.deleteFrom("customer_arrival").where("tenant_id", "=", tenantId).where("customer_id", "in", seen).execute();
}

function byTime(a: Date, b: Date): number {
  return a.getTime() - b.getTime();
}
