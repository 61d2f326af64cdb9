import { sql } from "kysely";
import type { Tx } from "../db/database.ts";

/** A time of a customer's. */
interface Time {
  customerId: string;
  start: Date;
  /** Null: it goes on. */
  end: Date | null;
}

/** A time in which a customer has a subscription: of its trial, or after that. */
export interface Cover extends Time {
  trial: boolean;
}

/** A time in which a price bills a customer's usage of a metric. */
export interface Billing extends Time {
  metric: string;
  /** The last fold that the period's final invoice counts; null while what comes is still billed. */
  foldNumber: bigint | null;
}

/** What to look at. */
export interface UnbilledFilter {
  customerIds: readonly string[];
  start: Date | null;
  end: Date | null;
}

/** What is unbilled for one reason. */
export interface UnbilledRow {
  customer_id: string;
  metric: string;
  month: Date;
  /** A name of `UnbilledReason`. */
  reason: string;
  quantity: string;
  event_count: bigint;
}

// The fold that never comes: what is not final counts all of them.
const NOT_FINAL = 2n ** 63n - 1n;

/**
 * Usage of some customers at a time for which none of `covers` (NO_SUBSCRIPTION), a trial of one (TRIAL) or none of
 * `billings` (NO_PRICE) stands, or that was folded after all billings that do were final (LATE), by customer, metric, month
 * and reason. From whole buckets, but for late usage: of the buckets that it came to, the events are looked at one by one.
 */
export async function unbilledUsage(
  tx: Tx,
  tenantId: string,
  filter: UnbilledFilter,
  { covers, billings }: { covers: readonly Cover[]; billings: readonly Billing[] },
): Promise<UnbilledRow[]> {
  const { rows } = await sql<UnbilledRow>`
    with cover as (${coverRows(covers)}),
    billing as (${billingRows(billings)}),
    bucket as (
      select used.*, case
        when billed_to is not null then 'LATE'
        else coalesce((
          select case when bool_or(trial) then 'TRIAL' when count(*) > 0 then 'NO_PRICE' end from cover
          where cover.customer_id = used.customer_id and hour >= start_at and hour < coalesce(end_at, 'infinity')
        ), 'NO_SUBSCRIPTION')
      end as reason
      from (
        select used.*, max(fold_number) as billed_to
        from usage_bucket used
        left join billing on billing.customer_id = used.customer_id and billing.metric = used.metric
          and hour >= start_at and hour < coalesce(end_at, 'infinity')
        where tenant_id = ${tenantId} and used.customer_id = any(${filter.customerIds})
          and hour >= coalesce(${filter.start}::timestamptz, '-infinity')
          and hour < coalesce(${filter.end}::timestamptz, 'infinity')
        group by tenant_id, used.customer_id, used.metric, hour
      ) used
      where billed_to is null or last_number > billed_to
    ),
    part as (
      select customer_id, metric, hour, reason, event_count, amount_sum, amount_max, null as value
      from bucket where reason <> 'LATE'
      union all
      select customer_id, metric, hour, reason, 0, 0, 0, value
      from bucket join usage_value using (tenant_id, customer_id, metric, hour) where reason <> 'LATE'
      union all
      select bucket.customer_id, bucket.metric, hour, reason, 1, amount, amount, properties ->> unique_property
      from bucket
      join metric on metric.tenant_id = bucket.tenant_id and metric.key = bucket.metric
      join usage_event event on event.tenant_id = bucket.tenant_id and event.customer_id = bucket.customer_id
        and event.metric = bucket.metric and occurred_at >= hour and occurred_at < hour + interval '1 hour'
      join usage_fold fold on fold.tenant_id = event.tenant_id and fold.batch_id = event.batch_id
      where reason = 'LATE' and fold.number > billed_to
    )
    select customer_id, metric, date_trunc('month', hour, 'UTC') as month, reason,
      case aggregation
        when 'SUM' then trim_scale(sum(amount_sum))
        when 'COUNT' then sum(event_count)
        when 'MAX' then trim_scale(max(amount_max))
        when 'UNIQUE' then count(distinct value)
      end::text as quantity,
      sum(event_count)::bigint as event_count
    from part join metric on metric.tenant_id = ${tenantId} and metric.key = part.metric
    group by customer_id, metric, aggregation, month, reason
    order by customer_id, metric, month, reason`.execute(tx);
  return rows;
}

function coverRows(covers: readonly Cover[]) {
  return sql`
    select * from unnest(
      ${covers.map((cover) => cover.customerId)}::text[],
      ${covers.map((cover) => cover.start)}::timestamptz[],
      ${covers.map((cover) => cover.end)}::timestamptz[],
      ${covers.map((cover) => cover.trial)}::boolean[]
    ) as cover (customer_id, start_at, end_at, trial)`;
}

function billingRows(billings: readonly Billing[]) {
  return sql`
    select * from unnest(
      ${billings.map((billing) => billing.customerId)}::text[],
      ${billings.map((billing) => billing.metric)}::text[],
      ${billings.map((billing) => billing.start)}::timestamptz[],
      ${billings.map((billing) => billing.end)}::timestamptz[],
      ${billings.map((billing) => billing.foldNumber ?? NOT_FINAL)}::bigint[]
    ) as billing (customer_id, metric, start_at, end_at, fold_number)`;
}
