import { create } from "@bufbuild/protobuf";
import { ChangeTiming, type Plan, SubscriptionSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type ChangeSubscriptionRequest,
  ChangeSubscriptionResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { checkPlanFree, planTaken } from "../pricing/new-subscriptions.ts";
import { billsInAdvance, getPlan, isInAdvance, isPerSeat } from "../pricing/plan.ts";
import { beginPeriod, type SubscriptionRow, toSubscription } from "../pricing/subscription.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { brokenConstraint, stateConflict } from "../rpc/errors.ts";
import { makeDue } from "../tenant/due.ts";
import { checkClosed, hasBegun, type OpenSubscription, stepsBeforeCut, takeSubscription } from "./open-subscription.ts";
import { rerateAdvance } from "./rerate-advance.ts";
import { saveMoves } from "./save-moves.ts";
import { billAdvance, closePeriod, isOn, owesAdvance, type SubscriptionMove } from "./subscription-move.ts";

/** What is asked for: null for what is to stay. */
interface Wish {
  plan: Plan | null;
  quantity: number | null;
}

/** Moves a subscription to another plan version or number of seats, now or when its open period ends. */
export function changeSubscription(app: App, caller: Caller, request: ChangeSubscriptionRequest) {
  const { tenantId } = caller;
  const later = request.timing === ChangeTiming.PERIOD_END;
  return change(app, caller, ChangeSubscriptionResponseSchema, async (tx) => {
    const open = await takeSubscription(app, tx, tenantId, request.id);
    noteBefore(tx, SubscriptionSchema, toSubscription(open.subscription));
    const wish = {
      plan: request.plan ? await getPlan(tx, tenantId, request.plan, request.planVersion) : null,
      quantity: request.quantity || null,
    };
    checkOpen(open, wish, later);
    if (wish.plan) await checkPlan(tx, open, wish.plan, later);
    const moves = later ? [changeLater(open, wish)] : changeNow(open, wish);
    const { subscription } = moves.at(-1) as SubscriptionMove;
    await saveMoves(tx, tenantId, moves, open.time.now).catch((error) => {
      // Another call was first, since it was looked for.
      if (brokenConstraint(error) === "subscription_customer_plan_key") throw planTaken(subscription);
      throw error;
    });
    if (!later && changesAdvance(open, subscription)) await rerateAdvance(tx, open.subscription, open.time.now);
    await makeDue(tx, tenantId, "CLOSE_PERIODS", subscription.due_at);
    return create(ChangeSubscriptionResponseSchema, { subscription: toSubscription(subscription) });
  });
}

function checkOpen(open: OpenSubscription, wish: Wish, later: boolean): void {
  const { due_at, ends_at } = open.subscription;
  if (due_at === null) throw stateConflict("the subscription is over; start another one");
  checkClosed(open);
  if (ends_at && (wish.plan || later)) {
    throw stateConflict(`the subscription ends at ${ends_at.toISOString()}; resume it before it is changed`);
  }
}

async function checkPlan(tx: Tx, open: OpenSubscription, plan: Plan, later: boolean): Promise<void> {
  const { subscription, time } = open;
  const { tenant_id, id } = subscription;
  if (plan.currency !== open.plan.currency && (later || hasBegun(open))) {
    const words = `"${plan.key}" is in ${plan.currency}, and the subscription's invoices in ${open.plan.currency}`;
    throw stateConflict(`${words}: end it, and start another one`);
  }
  if (plan.key !== subscription.plan_key) await checkPlanFree(tx, { ...subscription, plan_key: plan.key });
  if (later || isOn(subscription, plan) || !billsInAdvance(plan)) return;
  const billed = await tx
    .selectFrom("invoice")
    .select("id")
    .where("tenant_id", "=", tenant_id)
    .where("subscription_id", "=", id)
    .where("kind", "=", "IN_ADVANCE")
    .where("state", "<>", "VOID")
    .where("period_start", "=", time.at)
    .where("plan_key", "=", plan.key)
    .where("plan_version", "=", plan.version)
    .executeTakeFirst();
  // There and back within one second: what was invoiced first stands, and cannot begin at the same instant again.
  if (billed) throw stateConflict(`the subscription left "${plan.key}" in this very second; try again in the next one`);
}

/** Notes what is to come when the open period ends. What it has already is nothing to come. */
function changeLater({ subscription }: OpenSubscription, { plan, quantity }: Wish): SubscriptionMove {
  const stays = plan !== null && isOn(subscription, plan);
  const next = stays
    ? { next_plan_key: null, next_plan_version: null }
    : { next_plan_key: plan?.key ?? null, next_plan_version: plan?.version ?? null };
  const nextQuantity = quantity === subscription.quantity ? null : quantity;
  return {
    subscription: {
      ...subscription,
      ...(plan ? next : {}),
      ...(quantity ? { next_quantity: nextQuantity } : {}),
    },
  };
}

/** Whether fees in advance of the open period are others now: those of another plan, or for other seats. */
function changesAdvance({ subscription: before, plan }: OpenSubscription, after: SubscriptionRow): boolean {
  if (!isOn(after, plan)) return true;
  return before.quantity !== after.quantity && plan.prices.some((price) => isInAdvance(price) && isPerSeat(price));
}

/** The steps that change it at once. None but the last one's subscription is kept. */
function changeNow(open: OpenSubscription, wish: Wish): SubscriptionMove[] {
  const { plan: oldPlan, time } = open;
  const subscription = {
    ...open.subscription,
    ...(wish.plan ? { next_plan_key: null, next_plan_version: null } : {}),
    ...(wish.quantity ? { next_quantity: null } : {}),
  };
  const plan = wish.plan ?? oldPlan;
  const quantity = wish.quantity ?? subscription.quantity;
  const samePlan = isOn(subscription, plan);
  if (samePlan && quantity === subscription.quantity) return [{ subscription }];
  if (samePlan) return [withPhase({ ...subscription, quantity }, time.at)];
  // Nothing is billed that could be cut: the plan takes the place of the one that it was to begin with.
  if (!hasBegun(open)) {
    return [withPhase(beginPeriod({ ...subscription, quantity }, oldPlan, plan, subscription.period_start), time.at)];
  }
  const before = stepsBeforeCut({ ...open, subscription });
  const cut = closePeriod(before.at(-1)?.subscription ?? subscription, oldPlan, { plan, quantity }, time);
  const advance = owesAdvance(cut.subscription, plan) ? [billAdvance(cut.subscription, plan, time.now)] : [];
  return [...before, cut, ...advance];
}

function withPhase(subscription: SubscriptionRow, at: Date): SubscriptionMove {
  const { started_at, quantity } = subscription;
  return {
    subscription,
    phase: { start_at: at > started_at ? at : started_at, quantity },
    event: "subscription.changed",
  };
}
