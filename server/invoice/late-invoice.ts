import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { plansOf } from "../pricing/plan.ts";
import { metricsByKey } from "../usage/metric.ts";
import type { News } from "../usage/usage-watch.ts";
import { joinFinal } from "./final-invoice.ts";
import type { InvoiceRow } from "./invoice.ts";

/** A final invoice, and the last fold that it or a later line for its period counts. */
type Rated = Pick<InvoiceRow, "id" | "customer_id" | "plan_key" | "plan_version" | "period_start" | "period_end"> & {
  rated_number: bigint;
};

/**
 * Ids of the final invoices for usage that count less than was folded since: in their periods lie buckets, of metrics that
 * they price, to which a later fold came than the last that was billed. A void invoice bills nothing, now and later.
 */
export async function lateInvoices(tx: Tx, tenantId: string, news: readonly News[]): Promise<string[]> {
  const rated = await ratedInvoices(tx, tenantId, news);
  const planOf = await plansOf(tx, tenantId, rated);
  const metrics = await metricsByKey(tx, tenantId);
  const spans = rated.flatMap((invoice) =>
    [...new Set(planOf(invoice).prices.map((price) => price.metric))]
      .filter((metric) => metric !== "")
      // A level that is carried over comes from all that was before.
      .map((metric) => ({ invoice, metric, from: metrics.get(metric)?.carry_over ? null : invoice.period_start })),
  );
  const { rows } = await sql<{ id: string }>`
    select distinct span.id
    from unnest(
      ${spans.map(({ invoice }) => invoice.id)}::uuid[],
      ${spans.map(({ invoice }) => invoice.customer_id)}::text[],
      ${spans.map(({ metric }) => metric)}::text[],
      ${spans.map(({ from }) => from)}::timestamptz[],
      ${spans.map(({ invoice }) => invoice.period_end)}::timestamptz[],
      ${spans.map(({ invoice }) => invoice.rated_number)}::bigint[]
    ) as span (id, customer, metric_key, start_at, end_at, rated_number)
    where exists (
      select from usage_bucket
      where tenant_id = ${tenantId} and customer_id = span.customer and metric = span.metric_key
        and hour >= coalesce(date_trunc('hour', span.start_at, 'UTC'), '-infinity') and hour < span.end_at
        and last_number > span.rated_number
    )`.execute(tx);
  return rows.map((row) => row.id);
}

async function ratedInvoices(tx: Tx, tenantId: string, news: readonly News[]): Promise<Rated[]> {
  const { rows } = await sql<Rated>`
    select invoice.id, invoice.customer_id, plan_key, plan_version, period_start, period_end,
      greatest(final.usage_number, (
        select max(document.usage_number)
        from invoice_line line ${joinFinal(tenantId, sql`line.invoice_id`, "carrier")}
        where line.tenant_id = ${tenantId} and line.adjusted_invoice_id = invoice.id and carrier.state <> 'VOID'
      )) as rated_number
    from unnest(
      ${news.map((one) => one.customer_id)}::text[], ${news.map((one) => one.first_hour)}::timestamptz[]
    ) as news (customer, first_hour)
    join invoice on invoice.tenant_id = ${tenantId} and invoice.customer_id = news.customer
      and kind = 'IN_ARREARS' and state not in ('DRAFT', 'VOID') and period_end > first_hour
    cross join lateral (
      select usage_number from invoice_document where tenant_id = ${tenantId} and invoice_id = invoice.id limit 1
    ) as final
    order by invoice.id`.execute(tx);
  return rows;
}
