import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { cutByWeight } from "../cut-by-weight.ts";
import type { Tx } from "../db/database.ts";
import type { PlanRef } from "../pricing/plan.ts";
import type { UsageGroup, UsageSpan, UsageTotals } from "../usage/usage-span.ts";
import { usageTotals } from "../usage/usage-total.ts";
import { chargesOfDrafts, type Draft } from "./draft.ts";
import type { InvoiceRow } from "./invoice.ts";
import { totalOf } from "./settlement.ts";

/** What a period costs under its own plan and under another one, in minor units. */
export interface TwoCharges {
  period: InvoiceRow;
  oldMinor: bigint;
  newMinor: bigint;
}

// Prices of periods at a time: enough to share the cost of statements, few enough to hold their lines in memory.
const PRICES_MAX = 5_000;

/** Prices periods under two plans: of each period, both from the same usage at the same instant. */
export async function chargesUnderTwo(
  tx: Tx,
  tenantId: string,
  periods: readonly InvoiceRow[],
  planOf: (ref: PlanRef) => Plan,
  plan: Plan,
): Promise<TwoCharges[]> {
  const charges: TwoCharges[] = [];
  const weightOf = (period: InvoiceRow) => planOf(period).prices.length + plan.prices.length;
  for (const batch of cutByWeight(periods, PRICES_MAX, weightOf)) {
    const old = batch.flatMap(draftsOf);
    const simulated = batch.flatMap(draftsOf);
    const isSimulated = new Set<Draft>(simulated);
    const underPlan = (draft: Draft) => (isSimulated.has(draft) ? plan : planOf(draft));
    const sources = { countUsage: countOnce, underPlan };
    const { lines } = await chargesOfDrafts(tx, tenantId, [...old, ...simulated], sources);
    const totals = lines.map(totalOf);
    const minorAt = (place: number) => (totals[place] as bigint) + (totals[place + 1] as bigint);
    for (const [i, period] of batch.entries()) {
      charges.push({ period, oldMinor: minorAt(2 * i), newMinor: minorAt(2 * i + old.length) });
    }
  }
  return charges;
}

/** All that a plan charges for a period stands on two invoices. */
function draftsOf(period: InvoiceRow): [Draft, Draft] {
  return [
    { ...period, kind: "IN_ADVANCE" },
    { ...period, kind: "IN_ARREARS" },
  ];
}

/** `usageTotals` that counts each span once: both plans ask for the same ones. */
async function countOnce(tx: Tx, tenantId: string, spans: readonly UsageSpan[]): Promise<UsageTotals> {
  const distinct: UsageSpan[] = [];
  const places = new Map<string, number>();
  const placeOf = spans.map((span) => {
    const key = JSON.stringify(span);
    const place = places.get(key) ?? distinct.push(span) - 1;
    places.set(key, place);
    return place;
  });
  const totals = await usageTotals(tx, tenantId, distinct);
  return { ...totals, groups: placeOf.map((place) => totals.groups[place] as UsageGroup[]) };
}
