import { sql } from "kysely";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { traceTx } from "../observe/tx-trace.ts";
import { type PlanRef, plansOf } from "../pricing/plan.ts";
import { nextPlanOf, type SubscriptionRow } from "../pricing/subscription.ts";
import { settleDue, takeDue } from "../tenant/due.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { draftStranded } from "./draft-stranded.ts";
import { firstOfPrices } from "./first-of-prices.ts";
import { saveMoves } from "./save-moves.ts";
import {
  billAdvance,
  closePeriod,
  endPeriod,
  NOTHING_TO_COME,
  owesAdvance,
  type SubscriptionMove,
} from "./subscription-move.ts";

// Enough to share the cost of a transaction, few enough to keep it short.
const BATCH_MAX = 500;

/**
 * Moves subscriptions that are due one step on: fees in advance of a period that has begun, or the close of one that has
 * ended. Each makes a draft, if the plan has prices for it. Answers how many were moved; one that is several periods
 * behind is due again at once.
 */
export async function closePeriods(app: App, tenantId: string): Promise<number> {
  const startedAt = performance.now();
  const closed = await inTenant(app.workerDb, tenantId, async (tx) => {
    traceTx(tx, app.observer);
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await takeDue(tx, tenantId, "CLOSE_PERIODS", now))) return 0;
    const found = await dueSubscriptions(tx, tenantId, now);
    const nextOf = await nextPlans(tx, tenantId, found);
    const planOf = await plansOf(tx, tenantId, [...found, ...found.map(nextOf)]);
    const due = firstOfPrices(found, planOf);
    if (due.length > 0) {
      const graceMs = await gracePeriodMs(tx, tenantId);
      const moves = due.map((row) => moveOf(row, { plan: planOf(row), nextPlan: planOf(nextOf(row)), now, graceMs }));
      await saveMoves(tx, tenantId, moves, now);
      const over = moves.filter((move) => move.subscription.due_at === null).map((move) => move.subscription.id);
      if (over.length > 0) await draftStranded(tx, tenantId, now, over);
    }
    await settleDue(tx, tenantId, "CLOSE_PERIODS", await nextDueAt(tx, tenantId));
    return due.length;
  });
  if (closed > 0) {
    app.observer.count("usageflow_periods_closed_total", {}, closed);
    app.observer.record("usageflow_close_duration_seconds", { step: "close" }, (performance.now() - startedAt) / 1_000);
  }
  return closed;
}

/** Equal times in the order of customers, so that the same usage makes the same invoices in the same order. */
function dueSubscriptions(tx: Tx, tenantId: string, now: Date): Promise<SubscriptionRow[]> {
  return tx
    .selectFrom("subscription")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("due_at", "<=", now)
    .orderBy("due_at")
    .orderBy("customer_id")
    .orderBy("plan_key")
    .limit(BATCH_MAX)
    .forUpdate()
    .execute();
}

/** The one step that a due subscription takes. */
function moveOf(
  subscription: SubscriptionRow,
  { plan, nextPlan, ...time }: { plan: Plan; nextPlan: Plan; now: Date; graceMs: number },
): SubscriptionMove {
  if (owesAdvance(subscription, plan)) return billAdvance(subscription, plan, time.now);
  const { period_end, ends_at, quantity, next_quantity } = subscription;
  const at = { ...time, at: period_end };
  if (ends_at !== null && ends_at <= period_end) return endPeriod(subscription, plan, at);
  const next = { plan: nextPlan, quantity: next_quantity ?? quantity };
  const move = closePeriod({ ...subscription, ...NOTHING_TO_COME }, plan, next, at);
  // Told too where it stays on its plan, though it was to move.
  return nextPlanOf(subscription) ? { ...move, event: "subscription.changed" } : move;
}

/**
 * The plan versions that subscriptions are to move to at the end of their periods. One whose customer has come to another
 * subscription to that plan stays where it is: calls refuse that, but not when two of them pass each other, and a
 * tenant's billing must not stop there.
 */
async function nextPlans(
  tx: Tx,
  tenantId: string,
  due: readonly SubscriptionRow[],
): Promise<(subscription: SubscriptionRow) => PlanRef> {
  const moving = due.filter((row) => nextPlanOf(row) !== null);
  if (moving.length === 0) return (row) => row;
  const { rows: taken } = await sql<{ id: string }>`
    select moving.id from unnest(
      ${moving.map((row) => row.id)}::uuid[],
      ${moving.map((row) => row.customer_id)}::text[],
      ${moving.map((row) => row.next_plan_key)}::text[]
    ) as moving (id, customer_id, plan_key)
    where exists (
      select from subscription other
      where other.tenant_id = ${tenantId} and other.customer_id = moving.customer_id and other.id <> moving.id
        and other.due_at is not null
        and (other.plan_key = moving.plan_key or (other.next_plan_key = moving.plan_key and other.id < moving.id))
    )`.execute(tx);
  const stay = new Set(taken.map((row) => row.id));
  return (row) => (stay.has(row.id) ? row : (nextPlanOf(row) ?? row));
}

async function nextDueAt(tx: Tx, tenantId: string): Promise<Date | null> {
  const row = await tx
    .selectFrom("subscription")
    .select("due_at")
    .where("tenant_id", "=", tenantId)
    .where("due_at", "is not", null)
    .orderBy("due_at")
    .limit(1)
    .executeTakeFirst();
  return row?.due_at ?? null;
}
