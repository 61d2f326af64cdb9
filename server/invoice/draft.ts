import { InvoiceKind, type InvoiceLine } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Plan, Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import { giveWay, inPieces } from "../give-way.ts";
import { newId } from "../id.ts";
import { countEvents, type EventTally, noEvents } from "../pricing/percentage.ts";
import { type PhaseRow, phasesOf, seatsOf } from "../pricing/phase.ts";
import { type PlanRef, plansOf } from "../pricing/plan.ts";
import type { SubscriptionRow } from "../pricing/subscription.ts";
import { placesOf, testsOf, testsOfGroup } from "../usage/dimension.ts";
import { eventAmounts } from "../usage/event-amounts.ts";
import { type MetricRow, metricsByKey } from "../usage/metric.ts";
import type { UsageGroup, UsageSpan, UsageTotals } from "../usage/usage-span.ts";
import { usageTotals } from "../usage/usage-total.ts";
import { type BilledTime, billedPrices, draftLines, type Usage } from "./draft-lines.ts";
import type { InvoiceRow } from "./invoice.ts";

/** What an invoice bills: columns of its row. */
export interface Draft extends PlanRef {
  subscription_id: string;
  customer_id: string;
  kind: string;
  period_start: Date;
  period_end: Date;
  full_period_start: Date;
  full_period_end: Date;
}

/** A price that a draft bills, and the usage that it prices. */
interface Metered {
  price: Price;
  span: UsageSpan;
}

/** What one group used of it. */
interface Used extends Metered {
  group: UsageGroup;
  /** What one is called. */
  unit: string;
}

/** The kind of an invoice, as its row says it. */
export function kindOf(draft: Pick<Draft, "kind">): InvoiceKind {
  return InvoiceKind[draft.kind as keyof typeof InvoiceKind];
}

/** A draft in arrears of a subscription's open period. It waits for usage on its way until the grace period is over. */
export function arrearsDraft(subscription: SubscriptionRow, plan: Plan, now: Date, graceMs: number): InvoiceRow {
  const finalizeAt = plusMs(subscription.period_end, graceMs);
  return { ...draftOf(subscription, plan, now), kind: "IN_ARREARS", finalize_at: finalizeAt };
}

/** A draft in advance of a subscription's open period. Its amounts do not depend on usage, so it waits for none. */
export function advanceDraft(subscription: SubscriptionRow, plan: Plan, now: Date): InvoiceRow {
  return { ...draftOf(subscription, plan, now), kind: "IN_ADVANCE", finalize_at: subscription.period_start };
}

/**
 * A draft of its own for an invoice whose period is priced again, where the subscription makes none any more. As much more
 * usage may be on its way, it waits for a grace period too.
 */
export function adjustmentDraft(invoice: InvoiceRow, now: Date, graceMs: number): InvoiceRow {
  return {
    ...invoice,
    id: newId(),
    kind: "ADJUSTMENT",
    state: "DRAFT",
    created_at: now,
    finalize_at: plusMs(now, graceMs),
  };
}

function draftOf(subscription: SubscriptionRow, plan: Plan, now: Date): Omit<InvoiceRow, "kind" | "finalize_at"> {
  return {
    tenant_id: subscription.tenant_id,
    id: newId(),
    subscription_id: subscription.id,
    customer_id: subscription.customer_id,
    plan_key: subscription.plan_key,
    plan_version: subscription.plan_version,
    currency: plan.currency,
    period_start: subscription.period_start,
    period_end: subscription.period_end,
    full_period_start: subscription.full_period_start,
    full_period_end: subscription.full_period_end,
    state: "DRAFT",
    created_at: now,
    trace: null,
  };
}

/** Lines of drafts, in the order of the drafts. */
export interface DraftLines {
  lines: InvoiceLine[][];
  /** The last fold of usage that they count. */
  foldNumber: bigint;
  /** The last phase of its subscription that each of them counts. */
  phaseNumbers: number[];
}

/** Where the quantities of drafts come from: `usageTotals`, or a count of the same by other means. */
export type CountUsage = (tx: Tx, tenantId: string, spans: readonly UsageSpan[]) => Promise<UsageTotals>;

/** What charges are worked out from, other than what is now. */
export interface ChargeSources {
  countUsage?: CountUsage | undefined;
  /** The last phase of their subscription that counts. Absent: all. */
  phaseNumber?: number | undefined;
  /** The plan to charge by in the place of a draft's own. */
  underPlan?: ((draft: Draft) => Plan) | undefined;
}

/**
 * Works out what the plans of drafts charge for their periods, as of now, and says up to which fold of usage that counts. A
 * few statements, however many drafts there are; more only where prices need single events, and those are many.
 */
export async function chargesOfDrafts(
  tx: Tx,
  tenantId: string,
  drafts: readonly Draft[],
  { countUsage = usageTotals, phaseNumber, underPlan }: ChargeSources = {},
): Promise<DraftLines> {
  if (drafts.length === 0) return { lines: [], foldNumber: 0n, phaseNumbers: [] };
  const planOf = underPlan ?? (await plansOf(tx, tenantId, drafts));
  const subscriptionIds = [...new Set(drafts.map((draft) => draft.subscription_id))];
  const phases = await phasesOf(tx, tenantId, subscriptionIds, phaseNumber);
  const phasesOfDraft = (draft: Draft) => phases.get(draft.subscription_id) ?? [];
  const metrics = await metricsByKey(tx, tenantId);
  const metricOf = (price: Price): MetricRow => {
    const metric = metrics.get(price.metric);
    if (!metric) throw new Error("a price of a metric that does not exist");
    return metric;
  };
  const metered = drafts.flatMap((draft) =>
    billedPrices(planOf(draft), kindOf(draft))
      .filter((price) => price.metric)
      .map((price): Metered => ({ price, span: spanOf(draft, price, metricOf(price)) })),
  );
  const spans = metered.map(({ span }) => span);
  const { groups, foldNumber } = await countUsage(tx, tenantId, spans);
  const used = metered.map(({ price, span }, i) =>
    (groups[i] as UsageGroup[]).map((group): Used => ({ price, span, group, unit: metricOf(price).unit })),
  );
  const tallies = await tallyEvents(tx, tenantId, used.flat(), foldNumber);
  let place = 0; // in `used`: prices are asked for in the same order again
  const next = () => (used[place++] as Used[]).map((one) => usageOf(one, tallies));
  const lines = await inPieces(drafts, (draft) =>
    draftLines(planOf(draft), kindOf(draft), next, timeOf(draft, phasesOfDraft(draft))),
  );
  const phaseNumbers = drafts.map((draft) => phasesOfDraft(draft).at(-1)?.position ?? 0);
  return { lines, foldNumber, phaseNumbers };
}

/**
 * The time that a draft bills. Fees in advance are those of the period's start for as long as it is a draft; worked out
 * again later, they are what the period has come to since.
 */
function timeOf(draft: Draft, phases: readonly PhaseRow[]): BilledTime {
  const period = { start: draft.period_start, end: draft.period_end };
  return {
    ...period,
    of: { start: draft.full_period_start, end: draft.full_period_end },
    seats: seatsOf(phases, { ...period, plan_key: draft.plan_key, plan_version: draft.plan_version }),
  };
}

function usageOf(used: Used, tallies: Map<Used, EventTally>): Usage {
  const { price, group, unit } = used;
  const dimensions = price.groupBy.map((property, i) => [property, group.values[i] ?? ""] as const);
  return { quantity: group.quantity, unit, dimensions: new Map(dimensions), events: tallies.get(used) };
}

/** Counts the single events of the percentage prices, a page at a time, and answers their tallies. */
async function tallyEvents(
  tx: Tx,
  tenantId: string,
  used: readonly Used[],
  foldNumber: bigint,
): Promise<Map<Used, EventTally>> {
  const counts = used.flatMap((one) => {
    const { model } = one.price;
    return model.case === "percentage" ? [{ one, percentage: model.value, tally: noEvents }] : [];
  });
  const spans = counts.map(({ one: { span, group } }) => ({
    ...span,
    tests: [...(span.tests ?? []), ...testsOfGroup(span.groupBy ?? [], group.values)],
  }));
  for await (const page of eventAmounts(tx, tenantId, spans, foldNumber)) {
    await giveWay();
    const count = counts[page.place] as (typeof counts)[number];
    count.tally = countEvents(count.percentage, count.tally, page.amounts);
  }
  return new Map(counts.map(({ one, tally }) => [one, tally]));
}

function spanOf(draft: Draft, price: Price, metric: MetricRow): UsageSpan {
  return {
    customerId: draft.customer_id,
    metric: metric.key,
    aggregation: metric.aggregation,
    carryOver: metric.carry_over,
    start: draft.period_start,
    end: draft.period_end,
    tests: testsOf(metric, price.filter),
    groupBy: placesOf(metric, price.groupBy),
  };
}
