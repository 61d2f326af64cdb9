import { create } from "@bufbuild/protobuf";
import { type CreateDiscountRequest, CreateDiscountResponseSchema } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { newId } from "../id.ts";
import { decimal, plain, zero } from "../money.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { invalid, stateConflict } from "../rpc/errors.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { type BillingPeriod, type Cadence, periodAt } from "./billing-period.ts";
import { moneyOf } from "./check-price.ts";
import { type DiscountRow, openPeriod, toDiscount } from "./discount.ts";
import { getPlan } from "./plan.ts";
import { cadenceOf, getSubscription } from "./subscription.ts";

/** Gives a subscription a discount, from its open period on. */
export function createDiscount(app: App, caller: Caller, request: CreateDiscountRequest) {
  const { tenantId } = caller;
  return change(app, caller, CreateDiscountResponseSchema, async (tx) => {
    const subscription = await getSubscription(tx, tenantId, request.subscriptionId, { forUpdate: true });
    if (subscription.due_at === null) {
      throw stateConflict(`subscription "${request.subscriptionId}" is over, and all is invoiced`);
    }
    const plan = await getPlan(tx, tenantId, subscription.plan_key, subscription.plan_version);
    const { currency } = plan;
    const now = await tenantNow(tx, tenantId, app.clock);
    const open = openPeriod(subscription, plan, now);
    const periods = request.duration.case === "periods" ? request.duration.value : null;
    const row: DiscountRow = {
      tenant_id: tenantId,
      id: newId(),
      subscription_id: subscription.id,
      name: request.name,
      ...termsOf(request, currency),
      currency,
      periods,
      starts_at: open.start,
      ends_at: periods === null ? null : endOf(open, cadenceOf(subscription, plan), periods),
      created_at: now,
    };
    await tx.insertInto("discount").values(row).execute();
    return create(CreateDiscountResponseSchema, { discount: toDiscount(row) });
  });
}

function termsOf({ value }: CreateDiscountRequest, currency: string): Pick<DiscountRow, "percent" | "amount_minor"> {
  if (value.case === "amount") return { percent: null, amount_minor: moneyOf({ currency, amount: value.value }) };
  const percent = decimal(value.value ?? "0");
  if (percent.lte(zero)) throw invalid("percent", "percent: must be more than 0");
  return { percent: plain(percent), amount_minor: null };
}

/** The end of the last of so many periods. */
function endOf(first: BillingPeriod, cadence: Cadence, count: number): Date {
  let { end } = first;
  for (let n = 1; n < count; n++) ({ end } = periodAt(cadence, end));
  return end;
}
