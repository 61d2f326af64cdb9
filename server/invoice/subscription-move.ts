import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { billsInAdvance, billsInArrears } from "../pricing/plan.ts";
import { beginPeriod, type SubscriptionRow } from "../pricing/subscription.ts";
import { advanceDraft, arrearsDraft } from "./draft.ts";
import type { InvoiceRow } from "./invoice.ts";

/** One step of a subscription, and what comes of it. */
export interface SubscriptionMove {
  /** The subscription as it stands afterwards. */
  subscription: SubscriptionRow;
  draft?: InvoiceRow;
  /** Begins a phase on its plan with so many seats. */
  phase?: { start_at: Date; quantity: number };
  event?: "subscription.changed" | "subscription.ended";
}

/** When a step is taken, and what its draft in arrears waits for. */
export interface MoveTime {
  /** Where the open period ends. */
  at: Date;
  now: Date;
  graceMs: number;
}

/** What a subscription is on from a step on. */
export interface NextPhase {
  plan: Plan;
  quantity: number;
}

/** Whether fees in advance of the open period are not invoiced yet. */
export function owesAdvance({ advance_billed_until, period_end }: SubscriptionRow, plan: Plan): boolean {
  return advance_billed_until < period_end && billsInAdvance(plan);
}

/** Invoices the open period's fees in advance. */
export function billAdvance(subscription: SubscriptionRow, plan: Plan, now: Date): SubscriptionMove {
  const { period_end } = subscription;
  return {
    subscription: { ...subscription, advance_billed_until: period_end, due_at: period_end },
    draft: advanceDraft(subscription, plan, now),
  };
}

/** Closes the open period at `time.at` and begins the next one there, on the same plan or another. */
export function closePeriod(
  subscription: SubscriptionRow,
  plan: Plan,
  { plan: nextPlan, quantity }: NextPhase,
  time: MoveTime,
): SubscriptionMove {
  const moved = { ...beginPeriod(subscription, plan, nextPlan, time.at), quantity };
  const changed = !isOn(subscription, nextPlan) || subscription.quantity !== quantity;
  return {
    subscription: moved,
    ...inArrears(subscription, plan, time),
    ...(changed ? { phase: { start_at: time.at, quantity }, event: "subscription.changed" } : {}),
  };
}

/** Closes the open period at `time.at`, and no other begins. */
export function endPeriod(subscription: SubscriptionRow, plan: Plan, time: MoveTime): SubscriptionMove {
  const { at } = time;
  const nothing = { period_start: at, period_end: at, full_period_start: at, full_period_end: at };
  return {
    subscription: { ...subscription, ...nothing, ...NOTHING_TO_COME, due_at: null },
    ...inArrears(subscription, plan, time),
    event: "subscription.ended",
  };
}

/** No change that waits for the end of the open period. */
export const NOTHING_TO_COME = { next_plan_key: null, next_plan_version: null, next_quantity: null };

/** Whether a subscription is on this very version of a plan. */
export function isOn(subscription: SubscriptionRow, { key, version }: Plan): boolean {
  return subscription.plan_key === key && subscription.plan_version === version;
}

/** The draft for a period that ends, if it is not empty and the plan has something to charge for it. */
function inArrears(
  subscription: SubscriptionRow,
  plan: Plan,
  { at, now, graceMs }: MoveTime,
): Pick<SubscriptionMove, "draft"> {
  if (subscription.period_start >= at || !billsInArrears(plan)) return {};
  return { draft: arrearsDraft({ ...subscription, period_end: at }, plan, now, graceMs) };
}
