import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { UnbilledReason, type UsageBilling, UsageBillingSchema, UsageState } from "../../gen/usageflow/v1/usage_pb.ts";
import {
  type ExplainUsageEventResponse,
  ExplainUsageEventResponseSchema,
} from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { passes } from "../usage/dimension.ts";
import { getMetric, type MetricRow } from "../usage/metric.ts";
import { getUsageEvent, toUsageEvent } from "../usage/usage-event.ts";
import { bucketHour, toDate } from "../usage/usage-time.ts";
import { type BillingSpan, billingOf, contains, type SubscriptionBilling } from "./usage-billing.ts";

/** What became of one event, or not-found. */
export async function explainUsageEvent(tx: Tx, tenantId: string, key: string): Promise<ExplainUsageEventResponse> {
  const row = await getUsageEvent(tx, tenantId, key);
  const usageEvent = toUsageEvent(row);
  const foldNumber = row.fold_number;
  if (foldNumber === null) {
    return create(ExplainUsageEventResponseSchema, { usageEvent, state: UsageState.PENDING });
  }
  const event = {
    metric: await getMetric(tx, tenantId, row.metric),
    properties: row.properties,
    at: toDate(row.occurred_us),
    foldNumber,
  };
  const subscriptions = await billingOf(tx, tenantId, [row.customer_id]);
  const billings = subscriptions
    .filter((subscription) => contains(subscription, event.at))
    .flatMap((subscription) => billingsOf(subscription, event))
    .sort((a, b) => b.state - a.state);
  const state = billings[0]?.state ?? UsageState.UNBILLED;
  return create(ExplainUsageEventResponseSchema, {
    usageEvent,
    state,
    unbilledReason: state === UsageState.UNBILLED ? reasonOf(billings) : UnbilledReason.UNSPECIFIED,
    bucketHour: timestampFromDate(bucketHour(row.occurred_us)),
    foldNumber,
    billings,
  });
}

/** A price that was missed by a late event says more than a trial, and that more than a plan that has no price. */
function reasonOf(billings: readonly UsageBilling[]): UnbilledReason {
  const reasons = new Set(billings.map((billing) => billing.unbilledReason));
  const told = [UnbilledReason.LATE, UnbilledReason.TRIAL, UnbilledReason.NO_PRICE];
  return told.find((reason) => reasons.has(reason)) ?? UnbilledReason.NO_SUBSCRIPTION;
}

/** An event as invoices see it. */
interface Counted {
  metric: MetricRow;
  properties: Record<string, string>;
  at: Date;
  foldNumber: bigint;
}

/** How a subscription bills an event: with each price for its metric that its properties pass, or with none. */
function billingsOf(
  subscription: SubscriptionBilling,
  { metric, properties, at, foldNumber }: Counted,
): UsageBilling[] {
  const span = subscription.spans.find((one) => contains(one, at));
  const prices =
    span?.prices.filter((price) => price.metric === metric.key && passes(metric, price.filter, properties)) ?? [];
  const { plan_key, plan_version } = span ?? subscription;
  const facts = {
    subscriptionId: formatId("sub", subscription.id),
    plan: plan_key,
    planVersion: plan_version,
    ...(span ? periodOf(span, at) : {}),
  };
  const { trial_ends_at } = subscription;
  const inTrial = trial_ends_at !== null && at < trial_ends_at;
  if (inTrial || prices.length === 0) {
    const unbilledReason = inTrial ? UnbilledReason.TRIAL : UnbilledReason.NO_PRICE;
    return [create(UsageBillingSchema, { ...facts, state: UsageState.UNBILLED, unbilledReason })];
  }
  const state = stateOf(span as BillingSpan, foldNumber);
  const unbilledReason = state === UsageState.UNBILLED ? UnbilledReason.LATE : UnbilledReason.UNSPECIFIED;
  return prices.map(({ key }) => create(UsageBillingSchema, { ...facts, priceKey: key, state, unbilledReason }));
}

function stateOf({ invoice_id, usage_number }: BillingSpan, foldNumber: bigint): UsageState {
  if (invoice_id === null) return UsageState.OPEN;
  if (usage_number === null) return UsageState.DRAFT;
  return foldNumber <= usage_number ? UsageState.BILLED : UsageState.UNBILLED;
}

function periodOf({ start, period_end, invoice_id, number }: BillingSpan, at: Date) {
  if (at >= period_end) return {}; // of a period that has not begun: only the one before it is known
  return {
    periodStart: timestampFromDate(start),
    periodEnd: timestampFromDate(period_end),
    invoiceId: invoice_id === null ? "" : formatId("inv", invoice_id),
    invoiceNumber: number ?? "",
  };
}
