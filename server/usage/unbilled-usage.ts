import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { type DimensionTest, passesTests } from "./dimension.ts";
import { isFolded } from "./folded.ts";
import { hourSlices } from "./hour-slices.ts";
import { dimensionsOfEvent, selectBuckets, selectValues } from "./usage-bucket.ts";
import { quantityOfAny } from "./usage-quantity.ts";

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
  /** What the values of the usage's dimensions must be. */
  tests: readonly DimensionTest[];
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
 * Usage of some customers at a time for which none of `covers` (NO_SUBSCRIPTION), a trial of one (TRIAL) or none of
 * `billings` (NO_PRICE) stands, or that was folded when none that does bills it (LATE), by customer, metric, month and
 * reason. From whole buckets; but of hours that one of those times cuts, and of buckets that late usage may lie in, the
 * events are looked at.
 */
export async function unbilledUsage(
  tx: Tx,
  tenantId: string,
  filter: UnbilledFilter,
  { covers, billings }: { covers: readonly Cover[]; billings: readonly Billing[] },
): Promise<UnbilledRow[]> {
  const contained = sql`from_at >= start_at and from_at < coalesce(end_at, 'infinity')`;
  const month = { start: sql`month`, end: sql`(month at time zone 'UTC' + interval '1 month') at time zone 'UTC'` };
  const { rows } = await sql<UnbilledRow>`
    with cover as (${coverRows(covers)}),
    billing as (${billingRows(billings)}),
    used as (${usedIn(tenantId, filter, [...covers, ...billings])}),
    unit as (
      select billed.*, case
        when billings > 0 then 'LATE'
        else coalesce((
          select case when bool_or(trial) then 'TRIAL' when count(*) > 0 then 'NO_PRICE' end
          from cover where cover.customer_id = billed.customer_id and ${contained}
        ), 'NO_SUBSCRIPTION')
      end as reason, cut or billings > 0 as reread
      from (
        select used.*, its.*
        from used
        cross join lateral (
          select count(*) as billings, bool_or(after_fold = 0 and up_to >= last_number) as all_billed
          from billing
          where billing.customer_id = used.customer_id and billing.metric = used.metric and ${contained}
            and ${passesTests(sql`used.dimensions`, sql`billing.tests`)}
        ) as its
      ) as billed
      where all_billed is not true
    )
    select customer_id, part.metric, month, reason,
      ${quantityOfAny(sql`aggregation`, month)} as quantity, sum(event_count)::bigint as event_count
    from (select *, date_trunc('month', hour, 'UTC') as month from (${partsOfUnits(tenantId)}) as part) as part
    join metric on metric.tenant_id = ${tenantId} and metric.key = part.metric
    group by customer_id, part.metric, aggregation, month, reason
    having sum(event_count) > 0 -- all events of a bucket may be void
    order by customer_id, part.metric, month, reason`.execute(tx);
  return rows;
}

/** Usage in units that no time cuts: whole buckets, and slices of the others. */
function usedIn(tenantId: string, { customerIds, start, end }: UnbilledFilter, times: readonly Time[]) {
  const slices = hourSlices(customerIds, { start, end }, times);
  const slice = sql`
    select * from unnest(
      ${slices.map((one) => one.customerId)}::text[],
      ${slices.map((one) => one.start)}::timestamptz[],
      ${slices.map((one) => one.end)}::timestamptz[]
    ) as slice (customer_id, from_at, to_at)`;
  const whole = sql`
    select customer_id, metric, hour as from_at, hour + interval '1 hour' as to_at, dimensions, last_number, false as cut
    from usage_bucket
    where tenant_id = ${tenantId} and customer_id = any(${customerIds})
      and hour >= coalesce(${start}::timestamptz, '-infinity') and hour < coalesce(${end}::timestamptz, 'infinity')`;
  if (slices.length === 0) return whole;
  return sql`
    ${whole} and not exists (
      select from (${slice}) as slice
      where slice.customer_id = usage_bucket.customer_id and from_at >= hour and from_at < hour + interval '1 hour'
    )
    union all
    select distinct e.customer_id, e.metric, from_at, to_at, ${dimensionsOfEvent}, ${LAST_FOLD}::bigint, true
    from (${slice}) as slice
    join usage_event e on e.tenant_id = ${tenantId} and e.customer_id = slice.customer_id
      and e.occurred_at >= from_at and e.occurred_at < to_at
    join metric m on m.tenant_id = e.tenant_id and m.key = e.metric`;
}

/** What units are made of: their buckets, or their events that no billing has counted. */
function partsOfUnits(tenantId: string) {
  const events = sql`e.customer_id = unit.customer_id and e.metric = unit.metric
    and e.occurred_at >= unit.from_at and e.occurred_at < unit.to_at and ${dimensionsOfEvent} = unit.dimensions
    and ${isFolded(tenantId)} and not exists (
      select from usage_fold fold
      join billing on billing.customer_id = unit.customer_id and billing.metric = unit.metric
        and unit.from_at >= start_at and unit.from_at < coalesce(end_at, 'infinity')
        and ${passesTests(sql`unit.dimensions`, sql`billing.tests`)}
      where fold.tenant_id = ${tenantId} and fold.batch_id = e.batch_id
        and fold.number > after_fold and fold.number <= up_to
    )`;
  const unit = sql`unit.customer_id, unit.metric, reason`;
  const bucket = sql`hour, event_count, amount_sum, amount_max, amount_seconds, latest, null as value`;
  const value = sql`hour, 0, 0, 0, null, null, value`;
  const stored = sql`stored.tenant_id = ${tenantId} and stored.customer_id = unit.customer_id
    and stored.metric = unit.metric and stored.hour = unit.from_at and stored.dimensions = unit.dimensions`;
  return sql`
    select ${unit}, ${bucket} from unit join usage_bucket stored on ${stored} where not reread
    union all select ${unit}, ${value} from unit join usage_value stored on ${stored} where not reread
    union all select ${unit}, ${bucket} from unit cross join lateral (${selectBuckets(tenantId, events)}) as found
      where reread
    union all select ${unit}, ${value} from unit cross join lateral (${selectValues(tenantId, events)}) as found
      where reread`;
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
      ${billings.map((billing) => JSON.stringify(billing.tests))}::jsonb[],
      ${billings.map((billing) => billing.afterFold)}::bigint[],
      ${billings.map((billing) => billing.upToFold ?? LAST_FOLD)}::bigint[]
    ) as billing (customer_id, metric, start_at, end_at, tests, after_fold, up_to)`;
}
