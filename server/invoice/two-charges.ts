import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
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

// Periods priced at a time: enough to share the cost of statements, few enough to hold their lines in memory.
const BATCH_MAX = 2_000;

/** Prices periods under two plans: of each period, both from the same usage at the same instant. */
export async function chargesUnderTwo(
  tx: Tx,
  tenantId: string,
  periods: readonly InvoiceRow[],
  planOf: (ref: PlanRef) => Plan,
  plan: Plan,
): Promise<TwoCharges[]> {
  const charges: TwoCharges[] = [];
  for (let from = 0; from < periods.length; from += BATCH_MAX) {
    const batch = periods.slice(from, from + BATCH_MAX);
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
