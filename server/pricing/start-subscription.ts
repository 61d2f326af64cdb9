import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type StartSubscriptionRequest,
  StartSubscriptionResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { plusDays } from "../calendar.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { invalid } from "../rpc/errors.ts";
import { registerCustomers } from "../tenant/customer.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { tenantTimeZone } from "../tenant/time-zone.ts";
import { isClosed, periodAt } from "./billing-period.ts";
import { checkPlanFree, insertSubscriptions, planTaken } from "./new-subscriptions.ts";
import { getPlan } from "./plan.ts";
import { isAnniversary, newSubscription, toSubscription, trialEndOf } from "./subscription.ts";

const TRIAL_DAYS_MAX = 730;

/** Subscribes a customer to the latest version of a plan. */
export function startSubscription(app: App, caller: Caller, request: StartSubscriptionRequest) {
  const { tenantId } = caller;
  const { customerId } = request;
  const asked = {
    startAt: wholeSecond("start_at", request.startAt),
    trialEndsAt: wholeSecond("trial_ends_at", request.trialEndsAt),
  };
  return change(app, caller, StartSubscriptionResponseSchema, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    const plan = await getPlan(tx, tenantId, request.plan);
    const timeZone = await tenantTimeZone(tx, tenantId);
    const startedAt = startOf(plan, timeZone, now, asked);
    const period = periodAt(
      { period: plan.period, timeZone, anchor: isAnniversary(plan) ? startedAt : null },
      startedAt,
    );
    if (isClosed(period, now, await gracePeriodMs(tx, tenantId))) {
      throw invalid("start_at", `lies in a period that is closed: it ended at ${period.end.toISOString()}`);
    }
    const trialEndsAt = trialOf(plan, timeZone, startedAt, asked);
    await registerCustomers(tx, tenantId, [customerId], now);
    const quantity = request.quantity || 1;
    const subscription = newSubscription(tenantId, customerId, plan, { startedAt, trialEndsAt, timeZone, quantity });
    await checkPlanFree(tx, subscription);
    const [row] = await insertSubscriptions(tx, tenantId, [subscription], now);
    if (!row) throw planTaken(subscription);
    return create(StartSubscriptionResponseSchema, { subscription: toSubscription(row) });
  });
}

/** What the request asks for. */
interface Asked {
  startAt: Date | undefined;
  trialEndsAt: Date | undefined;
}

function wholeSecond(field: string, time: Timestamp | undefined): Date | undefined {
  if (time && time.nanos !== 0) throw invalid(field, "must be a whole second");
  return time && timestampDate(time);
}

/** A calendar period that is not asked to begin within is taken whole; a trial and an anniversary begin now. */
function startOf(plan: Plan, timeZone: string, now: Date, { startAt, trialEndsAt }: Asked): Date {
  if (startAt) return startAt;
  const onCalendar = !isAnniversary(plan) && plan.trialDays === 0 && !trialEndsAt;
  if (onCalendar) return periodAt({ period: plan.period, timeZone, anchor: null }, now).start;
  return new Date(Math.floor(now.getTime() / 1_000) * 1_000);
}

/** Where the trial ends. Null: there is none. */
function trialOf(plan: Plan, timeZone: string, startedAt: Date, { trialEndsAt }: Asked): Date | null {
  if (!trialEndsAt) return trialEndOf(plan, startedAt, timeZone);
  if (trialEndsAt < startedAt) {
    throw invalid("trial_ends_at", `must not be before the start, which is ${startedAt.toISOString()}`);
  }
  if (trialEndsAt > plusDays(startedAt, TRIAL_DAYS_MAX, timeZone)) {
    throw invalid("trial_ends_at", `must be at most ${TRIAL_DAYS_MAX} days after the start`);
  }
  return trialEndsAt > startedAt ? trialEndsAt : null;
}
