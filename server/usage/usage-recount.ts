import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
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
        when 'SUM' then trim_scale(coalesce(sum(event.amount), 0))
        when 'COUNT' then count(event.amount)
        when 'MAX' then trim_scale(coalesce(max(event.amount), 0))
        when 'UNIQUE' then count(distinct event.properties ->> metric.unique_property)
      end::text as quantity
    from unnest(
      ${spans.map((span) => span.customerId)}::text[],
      ${spans.map((span) => span.metric)}::text[],
      ${spans.map((span) => span.aggregation)}::text[],
      ${spans.map((span) => span.start)}::timestamptz[],
      ${spans.map((span) => span.end)}::timestamptz[]
    ) with ordinality as span (customer, metric_key, aggregation, start_at, end_at, place)
    join metric on metric.tenant_id = ${tenantId} and metric.key = span.metric_key
    left join usage_event event on event.tenant_id = ${tenantId} and event.customer_id = span.customer
      and event.metric = span.metric_key and event.occurred_at >= span.start_at and event.occurred_at < span.end_at
      and exists (
        select from usage_fold fold
        where fold.tenant_id = ${tenantId} and fold.batch_id = event.batch_id and fold.number <= ${foldNumber}
      )
    group by span.place, span.aggregation
    order by span.place`.execute(tx);
  return { quantities: rows.map((row) => row.quantity), foldNumber };
}
