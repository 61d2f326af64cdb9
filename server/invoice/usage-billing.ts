import { sql } from "kysely";
import type { Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Tx } from "../db/database.ts";
import { type PlanRef, plansOf } from "../pricing/plan.ts";
import { joinFinal } from "./final-invoice.ts";

/** A time of a subscription whose usage is billed alike: that of one invoice, or the open period and all that follow. */
export interface BillingSpan extends PlanRef {
  customer_id: string;
  subscription_id: string;
  start: Date;
  /** Null: it goes on. */
  end: Date | null;
  /** End of the invoice's period, or of the open one. */
  period_end: Date;
  /** Null while the period is open. */
  invoice_id: string | null;
  /** Of the finalized invoice. */
  number: string | null;
  /** The last fold that the finalized invoice counts; null while what is folded still counts. */
  usage_number: bigint | null;
  /** Whether it is void, and so bills nothing of what it counts; nor does a later one, but for those that did before. */
  is_void: boolean;
  /** The final invoices with a line for what came later, first one first. */
  later: LaterInvoice[];
  /** What the plan, as it is or was in that time, asks for usage. */
  prices: Price[];
}

/** A final invoice that bills what was folded after that of the period, or the one of these before it, and up to its own fold. */
interface LaterInvoice {
  invoice_id: string;
  number: string;
  /** As text: JSON has no bigint. */
  usage_number: string;
}

/** A subscription from its start to its end, and its spans. They may leave out time in which its plan asked nothing for usage. */
export interface SubscriptionBilling extends PlanRef {
  customer_id: string;
  id: string;
  start: Date;
  /** Null: it goes on. */
  end: Date | null;
  /** Where its trial ends: nothing before is charged. Null: it has none. */
  trial_ends_at: Date | null;
  /** The draft that bills what comes late, if there is one. */
  draft_id: string | null;
  spans: BillingSpan[];
}

/** Whether an instant lies in a half-open time. */
export function contains({ start, end }: { start: Date; end: Date | null }, instant: Date): boolean {
  return start <= instant && (end === null || instant < end);
}

/**
 * How the subscriptions of customers bill usage, oldest first. One statement: a period that is just being closed is either
 * open or has its invoice.
 */
export async function billingOf(
  tx: Tx,
  tenantId: string,
  customerIds: readonly string[],
): Promise<SubscriptionBilling[]> {
  const { rows } = await sql<
    Omit<BillingSpan, "prices"> & { started_at: Date; trial_ends_at: Date | null; draft_id: string | null }
  >`
    select s.customer_id, s.id as subscription_id, s.started_at, s.trial_ends_at, span.*, (
      select id from invoice draft
      where draft.tenant_id = ${tenantId} and draft.customer_id = s.customer_id
        and draft.subscription_id = s.id and draft.state = 'DRAFT'
      order by finalize_at, id limit 1
    ) as draft_id
    from subscription s
    cross join lateral (
      select s.plan_key, s.plan_version, s.period_start as start, s.ends_at as "end", s.period_end,
        null::uuid as invoice_id, null as number, null::bigint as usage_number, false as is_void, '[]'::json as later
      union all
      select plan_key, plan_version, period_start, period_end, period_end, invoice.id, number,
        usage_number, state = 'VOID', ${laterInvoices(tenantId)}
      from invoice
      left join invoice_document on invoice_document.tenant_id = invoice.tenant_id and invoice_id = invoice.id
      where invoice.tenant_id = ${tenantId} and subscription_id = s.id and kind = 'IN_ARREARS'
    ) as span
    where s.tenant_id = ${tenantId} and s.customer_id = any(${customerIds})
    order by s.id, invoice_id nulls first`.execute(tx);
  const planOf = await plansOf(tx, tenantId, rows);
  return [...Map.groupBy(rows, (row) => row.subscription_id).values()].map((its) => {
    const [open] = its as [(typeof its)[number]]; // always there: empty when the subscription is over
    return {
      customer_id: open.customer_id,
      id: open.subscription_id,
      plan_key: open.plan_key,
      plan_version: open.plan_version,
      start: open.started_at,
      end: open.end,
      trial_ends_at: open.trial_ends_at,
      draft_id: open.draft_id,
      spans: its.map((row) => ({ ...row, prices: planOf(row).prices.filter((price) => price.metric !== "") })),
    };
  });
}

/** Those with a line that adjusts `invoice`. */
function laterInvoices(tenantId: string) {
  return sql`(
    select coalesce(json_agg(json_build_object(
      'invoice_id', carrier.id, 'number', document.number, 'usage_number', document.usage_number::text
    ) order by document.usage_number), '[]')
    from invoice_line line ${joinFinal(tenantId, sql`line.invoice_id`, "carrier")}
    where line.tenant_id = ${tenantId} and line.adjusted_invoice_id = invoice.id and carrier.state <> 'VOID'
  )`;
}
