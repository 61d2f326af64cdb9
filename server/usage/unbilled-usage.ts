import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { isStanding } from "./counted-event.ts";

/** A time in which a customer has a subscription. */
export interface Cover {
  customerId: string;
  start: Date;
  /** Null: it goes on. */
  end: Date | null;
}

/** A time in which a price bills a customer's usage of a metric. */
export interface Billing extends Cover {
  metric: string;
  /** It bills what was folded after this one. */
  afterFold: bigint;
  /** And no later than this one; null: whatever comes. */
  upToFold: bigint | null;
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

// The fold that never comes: no other is after it.
const LAST_FOLD = 2n ** 63n - 1n;

/**
 * Usage of some customers at a time for which none of `covers` (NO_SUBSCRIPTION) or none of `billings` (NO_PRICE) stands,
 * or that was folded when none that does bills it (LATE), by customer, metric, month and reason. From whole buckets, but
 * for late usage: of the buckets that it may lie in, the events are looked at one by one.
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
        when billings > 0 then 'LATE'
        when exists (
          select from cover
          where cover.customer_id = used.customer_id and hour >= start_at and hour < coalesce(end_at, 'infinity')
        ) then 'NO_PRICE'
        else 'NO_SUBSCRIPTION'
      end as reason
      from (
        select used.*, count(up_to) as billings, bool_or(after_fold = 0 and up_to >= last_number) as billed
        from usage_bucket used
        left join billing on billing.customer_id = used.customer_id and billing.metric = used.metric
          and hour >= start_at and hour < coalesce(end_at, 'infinity')
        where tenant_id = ${tenantId} and used.customer_id = any(${filter.customerIds})
          and hour >= coalesce(${filter.start}::timestamptz, '-infinity')
          and hour < coalesce(${filter.end}::timestamptz, 'infinity')
        group by tenant_id, used.customer_id, used.metric, hour, dimensions
      ) used
      where billed is not true and (billings > 0 or event_count > 0) -- all events of an empty bucket are void
    ),
    part as (
      select customer_id, metric, hour, reason, event_count, amount_sum, amount_max, null as value
      from bucket where reason <> 'LATE'
      union all
      select customer_id, metric, hour, reason, 0, 0, 0, value
      from bucket join usage_value using (tenant_id, customer_id, metric, hour, dimensions) where reason <> 'LATE'
      union all
      select bucket.customer_id, bucket.metric, hour, reason, 1, amount, amount, properties ->> unique_property
      from (select distinct tenant_id, customer_id, metric, hour, reason from bucket where reason = 'LATE') as bucket
      join metric on metric.tenant_id = bucket.tenant_id and metric.key = bucket.metric
      join usage_event e on e.tenant_id = bucket.tenant_id and e.customer_id = bucket.customer_id
        and e.metric = bucket.metric and occurred_at >= hour and occurred_at < hour + interval '1 hour'
      join usage_fold fold on fold.tenant_id = e.tenant_id and fold.batch_id = e.batch_id
      where ${isStanding(tenantId, LAST_FOLD)} and not exists (
        select from billing
        where billing.customer_id = e.customer_id and billing.metric = e.metric
          and hour >= start_at and hour < coalesce(end_at, 'infinity')
          and fold.number > after_fold and fold.number <= up_to
      )
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
      ${covers.map((cover) => cover.end)}::timestamptz[]
    ) as cover (customer_id, start_at, end_at)`;
}

function billingRows(billings: readonly Billing[]) {
  return sql`
    select * from unnest(
      ${billings.map((billing) => billing.customerId)}::text[],
      ${billings.map((billing) => billing.metric)}::text[],
      ${billings.map((billing) => billing.start)}::timestamptz[],
      ${billings.map((billing) => billing.end)}::timestamptz[],
      ${billings.map((billing) => billing.afterFold)}::bigint[],
      ${billings.map((billing) => billing.upToFold ?? LAST_FOLD)}::bigint[]
    ) as billing (customer_id, metric, start_at, end_at, after_fold, up_to)`;
}
