import { sql } from "kysely";
import type { Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Tx } from "../db/database.ts";
import { type PlanRef, plansOf } from "../pricing/plan.ts";

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
  /** Of the finalized invoice, and so null while what is folded still counts. */
  number: string | null;
  /** The last fold that the finalized invoice bills: 0, so none, when it is void. */
  usage_number: bigint | null;
  /** What the plan, as it is or was in that time, asks for usage. */
  prices: Price[];
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
  const { rows } = await sql<Omit<BillingSpan, "prices"> & { started_at: Date; trial_ends_at: Date | null }>`
    select s.customer_id, s.id as subscription_id, s.started_at, s.trial_ends_at, span.*
    from subscription s
    cross join lateral (
      select s.plan_key, s.plan_version, s.period_start as start, s.ends_at as "end", s.period_end,
        null::uuid as invoice_id, null as number, null::bigint as usage_number
      union all
      select plan_key, plan_version, period_start, period_end, period_end, invoice.id, number,
        case when state = 'VOID' then 0 else usage_number end -- a void invoice bills nothing of what it counted
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
      spans: its.map((row) => ({ ...row, prices: planOf(row).prices.filter((price) => price.metric !== "") })),
    };
  });
}
