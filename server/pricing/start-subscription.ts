import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
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
import { type BillingPeriod, earliestOpenPeriod, periodAt } from "./billing-period.ts";
import { getPlan } from "./plan.ts";
import { newSubscription, toSubscription } from "./subscription.ts";

const HOUR_S = 3_600n;

/** Subscribes a customer to the latest version of a plan. */
export function startSubscription(app: App, caller: Caller, request: StartSubscriptionRequest) {
  const { tenantId } = caller;
  const { customerId, startAt } = request;
  return change(app, caller, StartSubscriptionResponseSchema, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    const plan = await getPlan(tx, tenantId, request.plan);
    const open = earliestOpenPeriod(now, await gracePeriodMs(tx, tenantId));
    const period = startAt ? firstPeriod(startAt, open) : periodAt(now);
    await registerCustomers(tx, tenantId, [customerId], now);
    const row = await tx
      .insertInto("subscription")
      .values(newSubscription(tenantId, customerId, plan, period))
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

/** From the given hour to the end of its calendar period. */
function firstPeriod(startAt: Timestamp, open: BillingPeriod): BillingPeriod {
  const start = timestampDate(startAt);
  if (startAt.seconds % HOUR_S !== 0n || startAt.nanos !== 0) throw invalid("start_at", "must be a whole hour");
  if (start < open.start) {
    throw invalid(
      "start_at",
      `lies in a period that is closed; the earliest that is not begins at ${open.start.toISOString()}`,
    );
  }
  return { start, end: periodAt(start).end };
}
