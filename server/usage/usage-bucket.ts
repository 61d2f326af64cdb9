import { type RawBuilder, sql } from "kysely";

// What buckets keep of events, written once: for a fold, for an hour that is counted again, for the part of an hour that a
// span cuts. Every column adds up or is a largest one, so that buckets of parts make the bucket of the whole.

/** The hour of event `e`. */
const hour = sql`date_trunc('hour', e.occurred_at, 'UTC')`;

/** What event `e` says of the dimensions that its metric `m` declares, in their order; '' where it says nothing. */
export const dimensionsOfEvent = sql`(case when m.dimensions = '{}' then '{}' else array(
  select coalesce(e.properties ->> name, '') from unnest(m.dimensions) with ordinality as declared (name, place)
  order by place
) end collate "C")`;

/** Event `e` so that the largest one is the latest: times are of one width, and keys differ. */
const moment = sql`case when m.aggregation = 'LATEST' then array[
  to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), e.idempotency_key, e.amount::text
] end collate "C"`;

/** What the change `e` comes to by the end of its hour. */
const levelSeconds = sql`case when m.aggregation = 'WEIGHTED_SUM' then
  e.amount * extract(epoch from ${hour} + interval '1 hour' - e.occurred_at)
end`;

/**
 * Selects the buckets that some events of a tenant make, in the order of their keys. `which` is a condition on an event
 * `e`.
 */
export function selectBuckets(tenantId: string, which: RawBuilder<unknown>) {
  // The offset keeps the rows that are sorted as narrow as they are here: without it, a fold took half as long again.
  return sql`
    select ${tenantId}::uuid as tenant_id, customer_id, metric, hour, dimensions, count(*) as event_count,
      sum(amount) as amount_sum, max(amount) as amount_max, sum(level_seconds) as amount_seconds, max(moment) as latest
    from (
      select e.customer_id, e.metric, ${hour} as hour, ${dimensionsOfEvent} as dimensions, e.amount,
        ${levelSeconds} as level_seconds, ${moment} as moment
      from usage_event e
      join metric m on m.tenant_id = e.tenant_id and m.key = e.metric
      where e.tenant_id = ${tenantId} and ${which}
      offset 0
    ) as told
    group by 2, 3, 4, 5
    order by 2, 3, 4, 5`;
}

/** Selects the values that some events of a tenant's UNIQUE metrics have, in the order of their keys. */
export function selectValues(tenantId: string, which: RawBuilder<unknown>) {
  return sql`
    select distinct e.tenant_id, e.customer_id, e.metric, ${hour} as hour, ${dimensionsOfEvent} as dimensions,
      e.properties ->> m.unique_property as value
    from usage_event e
    join metric m on m.tenant_id = e.tenant_id and m.key = e.metric and m.aggregation = 'UNIQUE'
    where e.tenant_id = ${tenantId} and ${which}
      and e.properties ->> m.unique_property <> '' -- it may be older than what the metric counts now
    order by 1, 2, 3, 4, 5, 6`;
}
