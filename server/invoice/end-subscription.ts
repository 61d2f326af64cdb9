import { create } from "@bufbuild/protobuf";
import { ChangeTiming, SubscriptionSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type EndSubscriptionRequest,
  EndSubscriptionResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { periodAt } from "../pricing/billing-period.ts";
import { cadenceOf, nextPlanOf, toSubscription } from "../pricing/subscription.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { makeDue } from "../tenant/due.ts";
import { checkClosed, type OpenSubscription, stepsBeforeCut, takeSubscription } from "./open-subscription.ts";
import { rerateAdvance } from "./rerate-advance.ts";
import { saveMoves } from "./save-moves.ts";
import { endPeriod, NOTHING_TO_COME, type SubscriptionMove } from "./subscription-move.ts";

/** Ends a subscription when its open period or its trial ends, or now. What there is of the period is still invoiced. */
export function endSubscription(app: App, caller: Caller, request: EndSubscriptionRequest) {
  const { tenantId } = caller;
  return change(app, caller, EndSubscriptionResponseSchema, async (tx) => {
    const open = await takeSubscription(app, tx, tenantId, request.id);
    noteBefore(tx, SubscriptionSchema, toSubscription(open.subscription));
    const now = request.timing === ChangeTiming.NOW;
    if (open.subscription.due_at === null || (open.subscription.ends_at && !now)) {
      return create(EndSubscriptionResponseSchema, { subscription: toSubscription(open.subscription) });
    }
    const moves = now ? endNow(open) : [endLater(open)];
    const { subscription } = moves.at(-1) as SubscriptionMove;
    await saveMoves(tx, tenantId, moves, open.time.now);
    await makeDue(tx, tenantId, "CLOSE_PERIODS", subscription.due_at);
    if (now) await rerateAdvance(tx, open.subscription, open.time.now);
    return create(EndSubscriptionResponseSchema, { subscription: toSubscription(subscription) });
  });
}

/** In a trial with that: its first period is empty then, and no invoice is made of it. */
function endLater(open: OpenSubscription): SubscriptionMove {
  const { period_start, trial_ends_at } = open.subscription;
  const inTrial = trial_ends_at !== null && open.time.now < trial_ends_at;
  const end = inTrial ? { ends_at: period_start, period_end: period_start, due_at: period_start } : endOfPeriod(open);
  return { subscription: { ...open.subscription, ...NOTHING_TO_COME, ...end } };
}

/** By the clock and not by the row's period: the workers may be some periods behind. */
function endOfPeriod(open: OpenSubscription) {
  const { subscription, plan, time } = open;
  if (nextPlanOf(subscription)) checkClosed(open); // else it may be on another plan by now, with other periods
  const { period_start } = subscription;
  return { ends_at: periodAt(cadenceOf(subscription, plan), period_start > time.now ? period_start : time.now).end };
}

function endNow(open: OpenSubscription): SubscriptionMove[] {
  checkClosed(open);
  const { subscription, plan, time } = open;
  const before = stepsBeforeCut(open);
  const { started_at, trial_ends_at } = subscription;
  const at = time.at > started_at ? time.at : started_at;
  const ended = {
    ...(before.at(-1)?.subscription ?? subscription),
    ends_at: at,
    trial_ends_at: trial_ends_at && trial_ends_at > at ? at : trial_ends_at,
  };
  return [...before, { ...endPeriod(ended, plan, { ...time, at }), phase: { start_at: at, quantity: 0 } }];
}
