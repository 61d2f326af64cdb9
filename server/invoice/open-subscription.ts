import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { getPlan } from "../pricing/plan.ts";
import { getSubscription, type SubscriptionRow } from "../pricing/subscription.ts";
import { stateConflict } from "../rpc/errors.ts";
import { holdDue, makeDue } from "../tenant/due.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { billAdvance, type MoveTime, owesAdvance, type SubscriptionMove } from "./subscription-move.ts";

/** A subscription that a call is to change, as of now. Billing leaves it alone until the transaction ends. */
export interface OpenSubscription {
  subscription: SubscriptionRow;
  plan: Plan;
  time: MoveTime;
}

/**
 * Takes a subscription to change it, or not-found. Workers wait (see `due.ts` for the order): none moves it on, and none
 * finalizes its invoices while what they are to say changes. `at` is the present second.
 */
export async function takeSubscription(app: App, tx: Tx, tenantId: string, id: string): Promise<OpenSubscription> {
  // And with that holds it: invoices may have to be priced again.
  await makeDue(tx, tenantId, "BILL_LATE_USAGE", await tenantNow(tx, tenantId, app.clock));
  await holdDue(tx, tenantId, "CLOSE_PERIODS");
  await holdDue(tx, tenantId, "FINALIZE_INVOICES");
  const subscription = await getSubscription(tx, tenantId, id, { forUpdate: true });
  const plan = await getPlan(tx, tenantId, subscription.plan_key, subscription.plan_version);
  const now = await tenantNow(tx, tenantId, app.clock); // after the wait: a worker may have begun a period meanwhile
  const second = new Date(Math.floor(now.getTime() / 1_000) * 1_000);
  // A worker whose clock goes ahead of this one's may have begun it a moment from now: then that is where it is cut.
  const { period_start } = subscription;
  const at = isBilled(subscription, second) && second < period_start ? period_start : second;
  return { subscription, plan, time: { at, now, graceMs: await gracePeriodMs(tx, tenantId) } };
}

/** Whether its first period has begun. Before it starts, and in its trial, nothing is billed that could be cut. */
export function hasBegun({ subscription, time }: OpenSubscription): boolean {
  return isBilled(subscription, time.at);
}

function isBilled(subscription: SubscriptionRow, at: Date): boolean {
  const { started_at, trial_ends_at, period_start, advance_billed_until } = subscription;
  return (trial_ends_at ?? started_at) <= at || advance_billed_until > period_start;
}

/** Refuses while a period that has ended is not closed: what is changed now is of the period after it. */
export function checkClosed({ subscription: { period_end }, time }: OpenSubscription): void {
  if (period_end > time.now) return;
  throw stateConflict(
    `the period that ended at ${period_end.toISOString()} is just being closed; try again in a moment`,
  );
}

/** The steps that billing would have taken by now, before its open period is cut: fees in advance that are due. */
export function stepsBeforeCut({ subscription, plan, time }: OpenSubscription): SubscriptionMove[] {
  const { period_start } = subscription;
  return period_start < time.at && owesAdvance(subscription, plan) ? [billAdvance(subscription, plan, time.now)] : [];
}
