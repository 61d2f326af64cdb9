import type { SqlBool } from "kysely";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { settleDue, takeDue } from "../tenant/due.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { tenantTimeZone } from "../tenant/time-zone.ts";
import { earliestAnchor, periodAt } from "./billing-period.ts";
import { insertSubscriptions } from "./new-subscriptions.ts";
import { findDefaultPlan } from "./plan.ts";
import { isAnniversary, newSubscription, trialEndOf } from "./subscription.ts";

// Enough to share the cost of a transaction, few enough to keep it short.
const BATCH_MAX = 500;
const HOUR_MS = 3_600_000;

interface Arrival {
  customer_id: string;
  /** The hour of its earliest usage that is not in a closed period. */
  first_hour: Date | null;
  /** Whether it has a subscription, to whatever plan. */
  subscribed: SqlBool;
}

/**
 * Subscribes customers first seen in usage to the default plan, from their earliest usage on that a period can bill which
 * is not closed, or from now on: from that very hour where the plan has a trial or anniversary periods, else from the
 * start of its calendar period. Who is subscribed to something already stays with that. Without a default plan they wait for one.
 * Answers how many were looked at.
 */
export function subscribeArrivals(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await takeDue(tx, tenantId, "SUBSCRIBE_ARRIVALS", now))) return 0;
    const plan = await findDefaultPlan(tx, tenantId);
    const seen = plan ? await subscribe(tx, tenantId, plan, now) : 0;
    await settleDue(tx, tenantId, "SUBSCRIBE_ARRIVALS", seen === BATCH_MAX ? now : null);
    return seen;
  });
}

/** Subscribes a batch of arrivals, and answers how many they are. */
async function subscribe(tx: Tx, tenantId: string, plan: Plan, now: Date): Promise<number> {
  const timeZone = await tenantTimeZone(tx, tenantId);
  const closedUntil = plusMs(now, -(await gracePeriodMs(tx, tenantId)));
  const cadence = { period: plan.period, timeZone, anchor: null };
  const calendarStart = (instant: Date) => periodAt(cadence, instant).start;
  const anniversary = isAnniversary(plan);
  const arrivals = await readArrivals(
    tx,
    tenantId,
    anniversary ? earliestAnchor(cadence, closedUntil) : calendarStart(closedUntil),
  );
  if (arrivals.length === 0) return 0;
  const rows = arrivals
    .filter((arrival) => !arrival.subscribed)
    .map(({ customer_id, first_hour }) => {
      const from = first_hour ?? hourOf(now);
      const startedAt = anniversary || plan.trialDays > 0 ? from : calendarStart(from);
      const trialEndsAt = trialEndOf(plan, startedAt, timeZone);
      return newSubscription(tenantId, customer_id, plan, { startedAt, trialEndsAt, timeZone });
    });
  await insertSubscriptions(tx, tenantId, rows, now);
  const customers = arrivals.map((arrival) => arrival.customer_id);
  await tx
    .deleteFrom("customer_arrival")
    .where("tenant_id", "=", tenantId)
    .where("customer_id", "in", customers)
    .execute();
  return arrivals.length;
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

function hourOf(time: Date): Date {
  return new Date(Math.floor(time.getTime() / HOUR_MS) * HOUR_MS);
}
