import { type RawBuilder, sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { isFolded } from "./folded.ts";
import { selectBuckets, selectValues } from "./usage-bucket.ts";

/**
 * Takes voided usage out of the buckets: the hours that it lies in are counted again, from their events. Part of the fold
 * `number`, which has claimed the voids with these batches and written down that it did.
 */
export async function takeBackVoided(
  tx: Tx,
  tenantId: string,
  batches: readonly string[],
  number: bigint,
): Promise<void> {
  const hours = await voidedHours(tx, tenantId, batches);
  if (hours.length === 0) return;
  const touched = sql`unnest(
    ${hours.map((one) => one.customer_id)}::text[],
    ${hours.map((one) => one.metric)}::text[],
    ${hours.map((one) => one.hour)}::timestamptz[]
  ) as touched (customer_id, metric, hour)`;
  const ofTouched = (table: RawBuilder<unknown>) => sql`${table}.tenant_id = ${tenantId}
    and ${table}.customer_id = touched.customer_id and ${table}.metric = touched.metric and ${table}.hour = touched.hour`;
  // What is left empty stays as a bucket of nothing: its number says that it changed.
  await sql`
    update usage_bucket bucket set event_count = 0, amount_sum = 0, amount_max = 0, amount_seconds = 0 * amount_seconds,
      latest = null, last_number = ${number}
    from ${touched} where ${ofTouched(sql`bucket`)}`.execute(tx);
  await sql`delete from usage_value value using ${touched} where ${ofTouched(sql`value`)}`.execute(tx);
  // By their keys, which are found by an index: a join on ranges of time would read every event.
  const which = sql`e.idempotency_key = any(array(
    select event.idempotency_key from ${touched}
    join usage_event event on event.tenant_id = ${tenantId} and event.customer_id = touched.customer_id
      and event.metric = touched.metric and event.occurred_at >= touched.hour
      and event.occurred_at < touched.hour + interval '1 hour'
  )) and ${isFolded(tenantId, number)}`;
  await sql`
    insert into usage_bucket (
      tenant_id, customer_id, metric, hour, dimensions,
      event_count, amount_sum, amount_max, amount_seconds, latest, last_number
    )
    select bucket.*, ${number}::bigint from (${selectBuckets(tenantId, which)}) as bucket
    on conflict on constraint usage_bucket_pkey do update set
      event_count = excluded.event_count, amount_sum = excluded.amount_sum, amount_max = excluded.amount_max,
      amount_seconds = excluded.amount_seconds, latest = excluded.latest`.execute(tx);
  await sql`
    insert into usage_value (tenant_id, customer_id, metric, hour, dimensions, value)
    ${selectValues(tenantId, which)}`.execute(tx);
}

interface Hour {
  customer_id: string;
  metric: string;
  hour: Date;
}

async function voidedHours(tx: Tx, tenantId: string, batches: readonly string[]): Promise<Hour[]> {
  const { rows } = await sql<Hour>`
    select distinct e.customer_id, e.metric, date_trunc('hour', e.occurred_at, 'UTC') as hour
    from usage_void void
    join usage_event e on e.tenant_id = void.tenant_id and e.idempotency_key = void.idempotency_key
    where void.tenant_id = ${tenantId} and void.batch_id = any(${batches})`.execute(tx);
  return rows;
}
