import { InvoiceKind, type InvoiceLine } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Tx } from "../db/database.ts";
import { type PlanRef, plansOf } from "../pricing/plan.ts";
import { type MetricRow, metricsByKey } from "../usage/metric.ts";
import { type UsageSpan, usageTotals } from "../usage/usage-total.ts";
import { billedPrices, draftLines } from "./draft-lines.ts";

/** What an invoice bills: columns of its row. */
export interface Draft extends PlanRef {
  customer_id: string;
  kind: string;
  period_start: Date;
  period_end: Date;
}

/** The kind of an invoice, as its row says it. */
export function kindOf(draft: Pick<Draft, "kind">): InvoiceKind {
  return InvoiceKind[draft.kind as keyof typeof InvoiceKind];
}

/**
 * Works out the lines of drafts, as of now, and says up to which fold of usage they count. A few statements, however many
 * drafts there are.
 */
export async function linesOfDrafts(
  tx: Tx,
  tenantId: string,
  drafts: readonly Draft[],
): Promise<{ lines: InvoiceLine[][]; foldNumber: bigint }> {
  if (drafts.length === 0) return { lines: [], foldNumber: 0n };
  const planOf = await plansOf(tx, tenantId, drafts);
  const metrics = await metricsByKey(tx, tenantId);
  const metricOf = (price: Price): MetricRow => {
    const metric = metrics.get(price.metric);
    if (!metric) throw new Error("a price of a metric that does not exist");
    return metric;
  };
  const spans = drafts.flatMap((draft) =>
    billedPrices(planOf(draft), kindOf(draft))
      .filter((price) => price.metric)
      .map((price) => spanOf(draft, metricOf(price))),
  );
  const { quantities, foldNumber } = await usageTotals(tx, tenantId, spans);
  const inOrder = quantities.values(); // of the drafts and their metered prices, as they are asked for again
  const lines = drafts.map((draft) =>
    draftLines(planOf(draft), kindOf(draft), (price) => ({
      quantity: inOrder.next().value as string,
      unit: metricOf(price).unit,
    })),
  );
  return { lines, foldNumber };
}

function spanOf(draft: Draft, metric: MetricRow): UsageSpan {
  return {
    customerId: draft.customer_id,
    metric: metric.key,
    aggregation: metric.aggregation,
    start: draft.period_start,
    end: draft.period_end,
  };
}
