import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { isCounted } from "./counted-event.ts";
import type { UsageSpan, UsageTotals } from "./usage-total.ts";

/**
 * What `usageTotals` answered when `foldNumber` was the last fold, counted again from the events themselves. Reads every
 * event of the spans: for checking, not for billing.
 */
export async function recountUsage(
  tx: Tx,
  tenantId: string,
  spans: readonly UsageSpan[],
  foldNumber: bigint,
): Promise<UsageTotals> {
  const { rows } = await sql<{ quantity: string }>`
    select case span.aggregation
        when 'SUM' then trim_scale(coalesce(sum(e.amount), 0))
        when 'COUNT' then count(e.amount)
        when 'MAX' then trim_scale(coalesce(max(e.amount), 0))
        when 'UNIQUE' then count(distinct e.properties ->> metric.unique_property)
      end::text as quantity
    from unnest(
      ${spans.map((span) => span.customerId)}::text[],
      ${spans.map((span) => span.metric)}::text[],
      ${spans.map((span) => span.aggregation)}::text[],
      ${spans.map((span) => span.start)}::timestamptz[],
      ${spans.map((span) => span.end)}::timestamptz[]
    ) with ordinality as span (customer, metric_key, aggregation, start_at, end_at, place)
    join metric on metric.tenant_id = ${tenantId} and metric.key = span.metric_key
    left join usage_event e on e.tenant_id = ${tenantId} and e.customer_id = span.customer
      and e.metric = span.metric_key and e.occurred_at >= span.start_at and e.occurred_at < span.end_at
      and ${isCounted(tenantId, foldNumber)}
    group by span.place, span.aggregation
    order by span.place`.execute(tx);
  return { quantities: rows.map((row) => row.quantity), foldNumber };
}
