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
import { toUsageVoid, voidsOf } from "../usage/usage-void.ts";
import { type BillingSpan, billingOf, contains, type SubscriptionBilling } from "./usage-billing.ts";

/** What became of one event, or not-found. */
export async function explainUsageEvent(tx: Tx, tenantId: string, key: string): Promise<ExplainUsageEventResponse> {
  const row = await getUsageEvent(tx, tenantId, key);
  const [voided] = await voidsOf(tx, tenantId, [key]);
  const facts = { usageEvent: toUsageEvent(row), ...(voided && { voided: toUsageVoid(voided) }) };
  if (row.fold_number === null) {
    const state = voided ? UsageState.UNBILLED : UsageState.PENDING;
    const unbilledReason = voided ? UnbilledReason.VOIDED : UnbilledReason.UNSPECIFIED;
    return create(ExplainUsageEventResponseSchema, { ...facts, state, unbilledReason });
  }
  // A void is told by what bills the usage without it: not counted yet, it comes after all that is.
  const foldNumber = voided ? (voided.fold_number ?? NOT_FOLDED) : row.fold_number;
  const event = {
    metric: await getMetric(tx, tenantId, row.metric),
    properties: row.properties,
    at: toDate(row.occurred_us),
    foldNumber,
    isVoided: voided !== undefined,
  };
  const subscriptions = await billingOf(tx, tenantId, [row.customer_id]);
  const billings = subscriptions
    .filter((subscription) => contains(subscription, event.at))
    .flatMap((subscription) => billingsOf(subscription, event))
    .sort((a, b) => b.state - a.state);
  const state = billings[0]?.state ?? UsageState.UNBILLED;
  const reason = state === UsageState.UNBILLED ? reasonOf(billings) : UnbilledReason.UNSPECIFIED;
  return create(ExplainUsageEventResponseSchema, {
    ...facts,
    state,
    unbilledReason: voided ? UnbilledReason.VOIDED : reason,
    bucketHour: timestampFromDate(bucketHour(row.occurred_us)),
    foldNumber: row.fold_number,
    billings,
  });
}

const NOT_FOLDED = 2n ** 63n - 1n;

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
  isVoided: boolean;
}

/** How a subscription bills an event: with each price for its metric that its properties pass, or with none. */
function billingsOf(
  subscription: SubscriptionBilling,
  { metric, properties, at, foldNumber, isVoided }: Counted,
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
  if (!span || inTrial || prices.length === 0) {
    const unbilledReason = inTrial ? UnbilledReason.TRIAL : UnbilledReason.NO_PRICE;
    return [create(UsageBillingSchema, { ...facts, state: UsageState.UNBILLED, unbilledReason })];
  }
  const place = placeOf(subscription, span, foldNumber);
  const voided = { state: UsageState.UNBILLED, unbilledReason: UnbilledReason.VOIDED };
  return prices.map(({ key }) =>
    create(UsageBillingSchema, { ...facts, priceKey: key, ...place, ...(isVoided ? voided : {}) }),
  );
}

/** Where a fold of a span's usage is billed. */
interface Place {
  state: UsageState;
  unbilledReason?: UnbilledReason;
  invoiceId?: string;
  invoiceNumber?: string;
}

function placeOf({ draft_id }: SubscriptionBilling, span: BillingSpan, foldNumber: bigint): Place {
  if (span.invoice_id === null) return { state: UsageState.OPEN };
  const its = { invoiceId: formatId("inv", span.invoice_id), invoiceNumber: span.number ?? "" };
  if (span.usage_number === null) return { state: UsageState.DRAFT, ...its };
  const isLate = foldNumber > span.usage_number;
  if (!isLate && !span.is_void) return { state: UsageState.BILLED, ...its };
  const later = isLate ? span.later.find((one) => foldNumber <= BigInt(one.usage_number)) : undefined;
  if (later) {
    return { state: UsageState.BILLED, invoiceId: formatId("inv", later.invoice_id), invoiceNumber: later.number };
  }
  if (span.is_void) return { state: UsageState.UNBILLED, unbilledReason: UnbilledReason.LATE, ...its };
  return draft_id ? { state: UsageState.DRAFT, invoiceId: formatId("inv", draft_id) } : { state: UsageState.OPEN };
}

function periodOf({ start, period_end }: BillingSpan, at: Date) {
  if (at >= period_end) return {}; // of a period that has not begun: only the one before it is known
  return { periodStart: timestampFromDate(start), periodEnd: timestampFromDate(period_end) };
}
