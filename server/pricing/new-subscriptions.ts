import type { Tx } from "../db/database.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { alreadyExists } from "../rpc/errors.ts";
import { holdDue, makeDue } from "../tenant/due.ts";
import { insertPhases } from "./phase.ts";
import { type SubscriptionRow, toSubscription } from "./subscription.ts";

/**
 * Stores subscriptions that begin, and tells of them. One whose customer has a subscription to its plan that goes on is
 * left out: what was started meanwhile stands. Answers those that were stored.
 */
export async function insertSubscriptions(
  tx: Tx,
  tenantId: string,
  subscriptions: readonly SubscriptionRow[],
  now: Date,
): Promise<SubscriptionRow[]> {
  if (subscriptions.length === 0) return [];
  // Before the rows, as who moves one to another plan does: else each may wait for the other.
  await holdDue(tx, tenantId, "CLOSE_PERIODS");
  const rows = await tx
    .insertInto("subscription")
    .values(subscriptions)
    .onConflict((conflict) =>
      conflict.columns(["tenant_id", "customer_id", "plan_key"]).where("due_at", "is not", null).doNothing(),
    )
    .returningAll()
    .execute();
  if (rows.length === 0) return [];
  await insertPhases(
    tx,
    tenantId,
    rows.map((row) => ({ ...row, subscription_id: row.id, start_at: row.started_at })),
  );
  const events = rows.map((row) => ({
    type: "subscription.started" as const,
    occurredAt: now,
    facts: { subscription: toSubscription(row) },
  }));
  await appendEvents(tx, tenantId, events);
  const due = rows.flatMap((row) => row.due_at?.getTime() ?? []);
  await makeDue(tx, tenantId, "CLOSE_PERIODS", new Date(Math.min(...due)));
  return rows;
}

/** Refuses when another subscription of the customer is on a subscription's plan, or is to move to it. */
export async function checkPlanFree(
  tx: Tx,
  { tenant_id, id, customer_id, plan_key }: Pick<SubscriptionRow, "tenant_id" | "id" | "customer_id" | "plan_key">,
): Promise<void> {
  const other = await tx
    .selectFrom("subscription")
    .select("plan_key")
    .where("tenant_id", "=", tenant_id)
    .where("customer_id", "=", customer_id)
    .where("id", "<>", id)
    .where("due_at", "is not", null)
    .where((or) => or.or([or("plan_key", "=", plan_key), or("next_plan_key", "=", plan_key)]))
    .executeTakeFirst();
  if (!other) return;
  if (other.plan_key === plan_key) throw planTaken({ customer_id, plan_key });
  throw alreadyExists(`a subscription of customer "${customer_id}" is to move to "${plan_key}" when its period ends`);
}

/** A customer is on a plan once at a time. */
export function planTaken({ customer_id, plan_key }: Pick<SubscriptionRow, "customer_id" | "plan_key">): Error {
  return alreadyExists(`customer "${customer_id}" has a subscription to "${plan_key}" that has not ended`);
}
