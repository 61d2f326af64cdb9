import type { Tx } from "../db/database.ts";
import type { SubscriptionRow } from "../pricing/subscription.ts";
import { askRerating } from "./ask-rerating.ts";

/**
 * Has what was invoiced in advance of a subscription's open period, as it was before a change, priced again: the difference
 * is a line of its next invoice. A draft is worked out anyway.
 */
export async function rerateAdvance(
  tx: Tx,
  { tenant_id, id, customer_id, plan_key, plan_version, period_start }: SubscriptionRow,
  now: Date,
): Promise<void> {
  const rows = await tx
    .selectFrom("invoice")
    .select("id")
    .where("tenant_id", "=", tenant_id)
    .where("customer_id", "=", customer_id) // which is in an index
    .where("subscription_id", "=", id)
    .where("kind", "=", "IN_ADVANCE")
    .where("period_start", "=", period_start)
    .where("plan_key", "=", plan_key)
    .where("plan_version", "=", plan_version)
    .where("state", "not in", ["DRAFT", "VOID"])
    .execute();
  const ids = rows.map((row) => row.id);
  await askRerating(tx, tenant_id, ids, now);
}
