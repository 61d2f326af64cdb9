import { sql } from "kysely";
import { isFolded } from "../usage/folded.ts";
import { dimensionsOfEvent, selectBuckets } from "../usage/usage-bucket.ts";
import { type Invariant, rowsOf, walking } from "./invariant.ts";

const RECOUNT =
  "Stop the workers' folds (serve --role api alone), keep a backup, and report it: buckets can be made anew from the events, which are all there.";

/** That every event is counted once. */
export const usageInvariants: readonly Invariant[] = [
  {
    name: "usage-claimed",
    says: "Each usage event waits to be counted, or is counted.",
    meaning: "Usage was acknowledged that no invoice will ever bill.",
    remedy: "Insert the batch into usage_batch as the owner: the next fold counts it. Then report how it came.",
    of: "tenant",
    look: walking({
      // From one batch to the next by the index: there are far fewer of them than events.
      part: ({ place, after, limit }) => sql`
        select batch_id, array[batch_id::text] as key, row_number() over (order by batch_id) as place from (
          with recursive step as (
            (select batch_id from usage_event where tenant_id = ${place}
              ${after ? sql`and batch_id > ${after[0]}` : sql``} order by batch_id limit 1)
            union all
            select next.batch_id from step cross join lateral (
              select batch_id from usage_event where tenant_id = ${place} and batch_id > step.batch_id
              order by batch_id limit 1
            ) as next
          )
          select batch_id from step limit ${limit}
        ) as batch`,
      found: ({ place }) => sql`
        select format('batch %s is neither waiting nor counted', batch_id) from part
        where not exists (select from usage_fold f where f.tenant_id = ${place} and f.batch_id = part.batch_id)
          and not exists (select from usage_batch b where b.tenant_id = ${place} and b.id = part.batch_id)`,
    }),
  },
  {
    name: "usage-claimed-once",
    says: "What waits to be counted is not counted already.",
    meaning: "The events of the batch will be counted twice.",
    remedy: "Delete the batch from usage_batch as the owner, before a worker folds it.",
    of: "tenant",
    look: walking({
      part: rowsOf("usage_batch", ["id"]),
      found: ({ place }) => sql`
        select format('batch %s waits and is counted', id) from part
        where exists (select from usage_fold f where f.tenant_id = ${place} and f.batch_id = part.id)`,
    }),
  },
  {
    name: "usage-folds",
    says: "No fold has a number beyond the tenant's last.",
    meaning: "The next fold takes a number that invoices have counted up to, and its usage looks billed.",
    remedy: "Set usage_progress.last_number to the largest number in usage_fold as the owner, with no worker running.",
    of: "tenant",
    look: walking({
      part: rowsOf("usage_fold", ["batch_id"]),
      found: ({ place }) => sql`
        select format('batch %s is of fold %s, and the last is %s', batch_id, number, coalesce(last_number, 0))
        from part left join usage_progress progress on progress.tenant_id = ${place}
        where number > coalesce(last_number, 0)`,
    }),
  },
  {
    name: "usage-voided",
    says: "Each voided event waits to be taken back, or is taken back.",
    meaning: "Usage was voided that is billed all the same.",
    remedy: "Insert the void's batch into usage_batch as the owner, with event_count 0: the next fold takes it back.",
    of: "tenant",
    look: walking({
      part: rowsOf("usage_void", ["idempotency_key"]),
      found: ({ place }) => sql`
        select format('the void of event %s is neither waiting nor done', idempotency_key) from part
        where not exists (select from usage_fold f where f.tenant_id = ${place} and f.batch_id = part.batch_id)
          and not exists (select from usage_batch b where b.tenant_id = ${place} and b.id = part.batch_id)`,
    }),
  },
];

/** That what was counted is what a recount of the events gives: they read every event. */
export const recountInvariants: readonly Invariant[] = [
  {
    name: "usage-buckets",
    says: "Each bucket is what a recount of its events gives.",
    meaning: "Invoices and questions about usage are answered from buckets: open periods would be billed wrongly.",
    remedy: RECOUNT,
    of: "tenant",
    look: walking({
      part: rowsOf("usage_bucket", ["customer_id", "metric", "hour", "dimensions"]),
      found: ({ place }) => sql`
        select format('%s of %s in the hour of %s: the bucket has %s events and %s, the events give %s and %s',
          part.metric, part.customer_id, part.hour at time zone 'UTC', part.event_count, part.amount_sum,
          coalesce(told.event_count, 0), coalesce(told.amount_sum, 0))
        from part
        left join (${selectBuckets(
          place,
          sql`e.idempotency_key = any(array(
          select event.idempotency_key from (select distinct customer_id, metric, hour from part) as touched
          join usage_event event on event.tenant_id = ${place} and event.customer_id = touched.customer_id
            and event.metric = touched.metric and event.occurred_at >= touched.hour
            and event.occurred_at < touched.hour + interval '1 hour'
        )) and ${isFolded(place)}`,
        )}) as told using (customer_id, metric, hour, dimensions)
        where part.event_count <> coalesce(told.event_count, 0)
          or part.amount_sum <> coalesce(told.amount_sum, 0)
          or part.amount_max <> coalesce(told.amount_max, 0)
          or part.amount_seconds is distinct from coalesce(told.amount_seconds, 0 * part.amount_seconds)
          or part.latest is distinct from told.latest`,
    }),
  },
  {
    name: "usage-bucketed",
    says: "Each counted event is in a bucket, and its value among the values.",
    meaning: "Usage is marked as counted and billed nowhere.",
    remedy: RECOUNT,
    of: "tenant",
    look: walking({
      part: rowsOf("usage_event", ["customer_id", "metric", "occurred_at", "idempotency_key"]),
      found: ({ place }) => sql`
        select format('event %s of %s is in no bucket', min(e.idempotency_key), e.customer_id)
        from part e join metric m on m.tenant_id = ${place} and m.key = e.metric
        where ${isFolded(place)} and (
          not exists (
            select from usage_bucket b where b.tenant_id = ${place} and b.customer_id = e.customer_id
              and b.metric = e.metric and b.hour = date_trunc('hour', e.occurred_at, 'UTC')
          ) or (m.aggregation = 'UNIQUE' and e.properties ->> m.unique_property <> '' and not exists (
            select from usage_value v where v.tenant_id = ${place} and v.customer_id = e.customer_id
              and v.metric = e.metric and v.hour = date_trunc('hour', e.occurred_at, 'UTC')
              and v.dimensions = ${dimensionsOfEvent} and v.value = e.properties ->> m.unique_property
          ))
        )
        group by e.customer_id, e.metric, date_trunc('hour', e.occurred_at, 'UTC')`,
    }),
  },
  {
    name: "usage-values",
    says: "Each value that is counted is one of a counted event.",
    meaning: "Different values are billed that nobody used.",
    remedy: RECOUNT,
    of: "tenant",
    look: walking({
      part: rowsOf("usage_value", ["customer_id", "metric", "hour", "dimensions", "value"]),
      found: ({ place }) => sql`
        select format('%s of %s in the hour of %s: nothing gives the value %L',
          v.metric, v.customer_id, v.hour at time zone 'UTC', left(v.value, 40))
        from part v join metric m on m.tenant_id = ${place} and m.key = v.metric
        where not exists (
          select from usage_event e
          where e.tenant_id = ${place} and e.customer_id = v.customer_id and e.metric = v.metric
            and e.occurred_at >= v.hour and e.occurred_at < v.hour + interval '1 hour'
            and e.properties ->> m.unique_property = v.value and ${dimensionsOfEvent} = v.dimensions
            and ${isFolded(place)}
        )`,
    }),
  },
];
