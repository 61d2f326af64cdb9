import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { insertPhases } from "../pricing/phase.ts";
import { askThresholds } from "../pricing/spend-threshold.ts";
import { type SubscriptionRow, toSubscription } from "../pricing/subscription.ts";
import { insertDrafts } from "./insert-drafts.ts";
import type { SubscriptionMove } from "./subscription-move.ts";

/**
 * Stores the steps of subscriptions, several of one in their order, with the phases and drafts that come of them, and tells
 * of it. The caller has locked the subscriptions, and says when billing must look at them next.
 */
export async function saveMoves(
  tx: Tx,
  tenantId: string,
  moves: readonly SubscriptionMove[],
  now: Date,
): Promise<void> {
  const last = new Map(moves.map(({ subscription }) => [subscription.id, subscription]));
  await updateSubscriptions(tx, tenantId, [...last.values()]);
  const phases = moves.flatMap(({ subscription, phase }) =>
    phase ? [{ ...subscription, subscription_id: subscription.id, ...phase }] : [],
  );
  if (phases.length > 0) await insertPhases(tx, tenantId, phases);
  const events = moves.flatMap(({ subscription, event }) =>
    event ? [{ type: event, occurredAt: now, facts: { subscription: toSubscription(subscription) } }] : [],
  );
  await appendEvents(tx, tenantId, events);
  const drafts = moves.flatMap((move) => move.draft ?? []);
  await insertDrafts(tx, tenantId, drafts, now);
  await askThresholds(tx, tenantId, [...last.values()], now); // usage may lie in the period that is open now
}

/** One parameter for all rows: a batch may have more values than a statement can have parameters. */
async function updateSubscriptions(tx: Tx, tenantId: string, rows: readonly SubscriptionRow[]): Promise<void> {
  await sql`
    update subscription set
      plan_key = moved.plan_key, plan_version = moved.plan_version, quantity = moved.quantity,
      next_plan_key = moved.next_plan_key, next_plan_version = moved.next_plan_version,
      next_quantity = moved.next_quantity, anchor = moved.anchor, ends_at = moved.ends_at,
      trial_ends_at = moved.trial_ends_at,
      period_start = moved.period_start, period_end = moved.period_end,
      full_period_start = moved.full_period_start, full_period_end = moved.full_period_end,
      advance_billed_until = moved.advance_billed_until, due_at = moved.due_at
    from json_populate_recordset(null::subscription, ${JSON.stringify(rows)}) as moved
    where subscription.tenant_id = ${tenantId} and subscription.id = moved.id`.execute(tx);
}
