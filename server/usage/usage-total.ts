import { sql } from "kysely";
import type { Tx } from "../db/database.ts";

/** Usage to total: one customer's of one metric, in whole hours from `start` up to, and without, `end`. */
export interface UsageSpan {
  customerId: string;
  metric: string;
  /** How the metric counts, as its row says. */
  aggregation: string;
  start: Date;
  end: Date;
}

export interface UsageTotals {
  /** The quantity of each span in the order given, as a decimal. 0 where there is no usage. */
  quantities: string[];
  /** The last fold that these quantities count. */
  foldNumber: bigint;
}

/**
 * The exact quantities of many spans, from the buckets. One statement, so that all of them and the fold number are of
 * the same instant; and each span is one range of an index, so that the cost does not grow with what is stored.
 */
export async function usageTotals(tx: Tx, tenantId: string, spans: readonly UsageSpan[]): Promise<UsageTotals> {
  const usage = sql`tenant_id = ${tenantId} and customer_id = span.customer and metric = span.metric_key
    and hour >= span.from_hour and hour < span.to_hour`;
  const { rows } = await sql<{ quantities: string[]; fold_number: bigint }>`
    select array(
      select case span.aggregation
        when 'SUM' then (select coalesce(trim_scale(sum(amount_sum)), 0) from usage_bucket where ${usage})
        when 'COUNT' then (select coalesce(sum(event_count), 0) from usage_bucket where ${usage})
        when 'MAX' then (select coalesce(trim_scale(max(amount_max)), 0) from usage_bucket where ${usage})
        when 'UNIQUE' then (select count(distinct value) from usage_value where ${usage})
      end::text
      from unnest(
        ${spans.map((span) => span.customerId)}::text[],
        ${spans.map((span) => span.metric)}::text[],
        ${spans.map((span) => span.aggregation)}::text[],
        ${spans.map((span) => span.start)}::timestamptz[],
        ${spans.map((span) => span.end)}::timestamptz[]
      ) with ordinality as span (customer, metric_key, aggregation, from_hour, to_hour, place)
      order by span.place
    ) as quantities,
    coalesce((select last_number from usage_progress where tenant_id = ${tenantId}), 0) as fold_number`.execute(tx);
  const [totals] = rows;
  if (!totals) throw new Error("a query for one row answered none");
  return { quantities: totals.quantities, foldNumber: totals.fold_number };
}
