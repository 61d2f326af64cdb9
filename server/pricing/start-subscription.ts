import { create } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type StartSubscriptionRequest,
  StartSubscriptionResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { alreadyExists, invalid } from "../rpc/errors.ts";
import { registerCustomers } from "../tenant/customer.ts";
import { makeDue } from "../tenant/due.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { tenantTimeZone } from "../tenant/time-zone.ts";
import { isClosed, periodAt } from "./billing-period.ts";
import { getPlan } from "./plan.ts";
import { isAnniversary, newSubscription, toSubscription } from "./subscription.ts";

/** Subscribes a customer to the latest version of a plan. */
export function startSubscription(app: App, caller: Caller, request: StartSubscriptionRequest) {
  const { tenantId } = caller;
  const { customerId, startAt } = request;
  if (startAt && startAt.nanos !== 0) throw invalid("start_at", "must be a whole second");
  return change(app, caller, StartSubscriptionResponseSchema, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    const plan = await getPlan(tx, tenantId, request.plan);
    const timeZone = await tenantTimeZone(tx, tenantId);
    const startedAt = startAt ? timestampDate(startAt) : presentStart(plan, timeZone, now);
    const subscription = newSubscription(tenantId, customerId, plan, { startedAt, timeZone });
    const period = { start: subscription.period_start, end: subscription.period_end };
    if (isClosed(period, now, await gracePeriodMs(tx, tenantId))) {
      throw invalid("start_at", `lies in a period that is closed: it ended at ${period.end.toISOString()}`);
    }
    await registerCustomers(tx, tenantId, [customerId], now);
    const row = await tx
      .insertInto("subscription")
      .values(subscription)
      .onConflict((conflict) =>
        conflict.columns(["tenant_id", "customer_id", "plan_key"]).where("due_at", "is not", null).doNothing(),
      )
      .returningAll()
      .executeTakeFirst();
    if (!row) throw alreadyExists(`customer "${customerId}" has a subscription to "${plan.key}" that has not ended`);
    await makeDue(tx, tenantId, "CLOSE_PERIODS", row.due_at);
    return create(StartSubscriptionResponseSchema, { subscription: toSubscription(row) });
  });
}

/** Where a subscription begins that is to begin now: on the calendar with the present period, else with this second. */
function presentStart(plan: Plan, timeZone: string, now: Date): Date {
  if (!isAnniversary(plan)) return periodAt({ period: plan.period, timeZone, anchor: null }, now).start;
  return new Date(Math.floor(now.getTime() / 1_000) * 1_000);
}
