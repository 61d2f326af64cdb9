import { sql } from "kysely";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { registerCustomers } from "../tenant/customer.ts";
import { makeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";

// Batches folded in one transaction: enough to share its cost, few enough to keep it short.
const BATCHES_MAX = 1_000;
const TENANTS_MAX = 50;

/** Folds waiting usage of all tenants into buckets, and answers how many batches. */
export async function foldUsageOfAllTenants(app: App): Promise<number> {
  const waiting = await app.workerDb
    .selectFrom("usage_batch")
    .select("tenant_id")
    .distinct()
    .limit(TENANTS_MAX)
    .execute();
  let folded = 0;
  for (const { tenant_id } of waiting) folded += await foldUsage(app, tenant_id);
  return folded;
}

/**
 * Folds some of a tenant's waiting batches into buckets: nothing twice and nothing never, because claims, buckets and fold
 * number change in one transaction.
 */
export function foldUsage(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const batches = await claimBatches(tx, tenantId);
    if (batches.length === 0) return 0;
    const number = await nextFoldNumber(tx, tenantId);
    await registerArrivals(app, tx, tenantId, batches);
    await addToBuckets(tx, tenantId, batches);
    await addValues(tx, tenantId, batches);
    await tx
      .insertInto("usage_fold")
      .values(batches.map((batch_id) => ({ tenant_id: tenantId, batch_id, number })))
      .execute();
    return batches.length;
  });
}

/** Takes the tenant's next fold number, and with its row's lock the right to fold: folds come one after the other. */
async function nextFoldNumber(tx: Tx, tenantId: string): Promise<bigint> {
  const row = await tx
    .insertInto("usage_progress")
    .values({ tenant_id: tenantId, last_number: 1n })
    .onConflict((conflict) =>
      conflict
        .constraint("usage_progress_pkey")
        .doUpdateSet({ last_number: sql<bigint>`usage_progress.last_number + 1` }),
    )
    .returning("last_number")
    .executeTakeFirstOrThrow();
  return row.last_number;
}

async function claimBatches(tx: Tx, tenantId: string): Promise<string[]> {
  const claimed = await tx
    .with("waiting", (query) =>
      query
        .selectFrom("usage_batch")
        .select("id")
        .where("tenant_id", "=", tenantId)
        .orderBy("id")
        .limit(BATCHES_MAX)
        .forUpdate()
        .skipLocked(),
    )
    .deleteFrom("usage_batch")
    .using("waiting")
    .where("usage_batch.tenant_id", "=", tenantId)
    .whereRef("usage_batch.id", "=", "waiting.id")
    .returning("usage_batch.id")
    .execute();
  return claimed.map((row) => row.id);
}

/** Registers customers of whom this is the first usage, and leaves word of them for pricing. */
async function registerArrivals(app: App, tx: Tx, tenantId: string, batches: readonly string[]): Promise<void> {
  const { rows } = await sql<{ customer_id: string }>`
    select distinct e.customer_id from usage_event e
    where e.tenant_id = ${tenantId} and e.batch_id = any(${batches})
      and not exists (
        select from usage_bucket b where b.tenant_id = ${tenantId} and b.customer_id = e.customer_id
      )
    order by 1`.execute(tx);
  if (rows.length === 0) return;
  const now = await tenantNow(tx, tenantId, app.clock);
  const ids = rows.map((row) => row.customer_id);
  await registerCustomers(tx, tenantId, ids, now);
  await tx
    .insertInto("customer_arrival")
    .values(ids.map((customer_id) => ({ tenant_id: tenantId, customer_id })))
    .onConflict((conflict) => conflict.constraint("customer_arrival_pkey").doNothing())
    .execute();
  await makeDue(tx, tenantId, "SUBSCRIBE_ARRIVALS", now);
}

async function addToBuckets(tx: Tx, tenantId: string, batches: readonly string[]): Promise<void> {
  await sql`
    insert into usage_bucket (tenant_id, customer_id, metric, hour, event_count, amount_sum, amount_max)
    select tenant_id, customer_id, metric, date_trunc('hour', occurred_at, 'UTC'),
      count(*), sum(amount), max(amount)
    from usage_event
    where tenant_id = ${tenantId} and batch_id = any(${batches})
    group by 1, 2, 3, 4
    order by 1, 2, 3, 4
    on conflict on constraint usage_bucket_pkey do update set
      event_count = usage_bucket.event_count + excluded.event_count,
      amount_sum = usage_bucket.amount_sum + excluded.amount_sum,
      amount_max = greatest(usage_bucket.amount_max, excluded.amount_max)`.execute(tx);
}

async function addValues(tx: Tx, tenantId: string, batches: readonly string[]): Promise<void> {
  const unique = await tx
    .selectFrom("metric")
    .select(["key", "unique_property"])
    .where("tenant_id", "=", tenantId)
    .where("aggregation", "=", "UNIQUE")
    .execute();
  if (unique.length === 0) return;
  await sql`
    insert into usage_value (tenant_id, customer_id, metric, hour, value)
    select distinct e.tenant_id, e.customer_id, e.metric, date_trunc('hour', e.occurred_at, 'UTC'),
      e.properties ->> m.unique_property
    from usage_event e
    join metric m on m.tenant_id = e.tenant_id and m.key = e.metric and m.aggregation = 'UNIQUE'
    where e.tenant_id = ${tenantId} and e.batch_id = any(${batches})
    order by 1, 2, 3, 4, 5
    on conflict on constraint usage_value_pkey do nothing`.execute(tx);
}
