import { sql } from "kysely";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { noSpan } from "../observe/observer.ts";
import { traceColumn, traceFrom } from "../observe/trace.ts";
import { beginIn, traceTx } from "../observe/tx-trace.ts";
import { registerCustomers } from "../tenant/customer.ts";
import { makeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { tenantsInTurn } from "../tenants-in-turn.ts";
import { isStanding } from "./folded.ts";
import { takeBackVoided } from "./take-back-voided.ts";
import { selectBuckets, selectValues } from "./usage-bucket.ts";
import { lockProgress } from "./usage-progress.ts";
import { addToMinutes, type StoredBatch } from "./usage-rate.ts";
import { tellWatchers } from "./usage-watch.ts";

// Batches folded in one transaction: enough to share its cost, few enough to keep it short.
const BATCHES_MAX = 1_000;

/** One round over the tenants that have usage waiting, and answers how many batches were folded. */
export function foldUsageOfAllTenants(app: App, stop?: AbortSignal): Promise<number> {
  return tenantsInTurn(app, "usage_batch", (tenantId) => foldUsage(app, tenantId), stop);
}

/**
 * Folds some of a tenant's waiting batches into buckets: nothing twice and nothing never, because claims, buckets and fold
 * number change in one transaction. Folds of one tenant come one after the other: who calls this while another folds
 * waits, and then sees what that one did. So 0 means that nothing is waiting, and a period may be closed.
 */
export function foldUsage(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const number = (await lockProgress(tx, tenantId)) + 1n;
    const claimed = await claimBatches(tx, tenantId);
    if (claimed.length === 0) return 0;
    const batches = claimed.map((batch) => batch.id);
    traceTx(tx, app.observer);
    const spans = claimed.map(({ trace }) =>
      trace ? beginIn(tx, "usage.fold", { parent: traceFrom(trace) }) : noSpan,
    );
    traceTx(tx, app.observer, spans.find(({ trace }) => trace)?.trace); // customers are told of as the first usage's
    await registerArrivals(app, tx, tenantId, batches);
    // First: what this fold voids of its own usage is not to be counted.
    await tx
      .insertInto("usage_fold")
      .values(
        batches.map((batch_id, i) => ({ tenant_id: tenantId, batch_id, number, trace: traceColumn(spans[i]?.trace) })),
      )
      .execute();
    await addToBuckets(tx, tenantId, batches, number);
    await addValues(tx, tenantId, batches, number);
    await takeBackVoided(tx, tenantId, batches, number);
    await tellWatchers(app, tx, tenantId, batches);
    await addToMinutes(tx, tenantId, claimed, app.clock.now());
    await tx.updateTable("usage_progress").set({ last_number: number }).where("tenant_id", "=", tenantId).execute();
    for (const span of spans) span.end({ tenant_id: formatId("ten", tenantId), batches: batches.length });
    return batches.length;
  });
}

function claimBatches(tx: Tx, tenantId: string): Promise<(StoredBatch & { id: string; trace: Buffer | null })[]> {
  return tx
    .deleteFrom("usage_batch")
    .where("tenant_id", "=", tenantId)
    .where("id", "in", (query) =>
      query.selectFrom("usage_batch").select("id").where("tenant_id", "=", tenantId).orderBy("id").limit(BATCHES_MAX),
    )
    .returning(["id", "created_at", "event_count", "trace"])
    .execute();
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
  await sql`
    insert into customer_arrival (tenant_id, customer_id)
    select ${tenantId}, id from unnest(${ids}::text[]) as new (id) order by id
    on conflict on constraint customer_arrival_pkey do nothing`.execute(tx);
  await makeDue(tx, tenantId, "SUBSCRIBE_ARRIVALS", now);
}

async function addToBuckets(tx: Tx, tenantId: string, batches: readonly string[], number: bigint): Promise<void> {
  await sql`
    insert into usage_bucket (
      tenant_id, customer_id, metric, hour, dimensions,
      event_count, amount_sum, amount_max, amount_seconds, latest, last_number
    )
    select bucket.*, ${number}::bigint from (${selectBuckets(tenantId, standing(tenantId, batches, number))}) as bucket
    on conflict on constraint usage_bucket_pkey do update set
      event_count = usage_bucket.event_count + excluded.event_count,
      amount_sum = usage_bucket.amount_sum + excluded.amount_sum,
      amount_max = greatest(usage_bucket.amount_max, excluded.amount_max),
      amount_seconds = usage_bucket.amount_seconds + excluded.amount_seconds,
      latest = greatest(usage_bucket.latest, excluded.latest),
      last_number = excluded.last_number`.execute(tx);
}

async function addValues(tx: Tx, tenantId: string, batches: readonly string[], number: bigint): Promise<void> {
  const unique = await tx
    .selectFrom("metric")
    .select("key")
    .where("tenant_id", "=", tenantId)
    .where("aggregation", "=", "UNIQUE")
    .limit(1)
    .execute();
  if (unique.length === 0) return;
  await sql`
    insert into usage_value (tenant_id, customer_id, metric, hour, dimensions, value)
    ${selectValues(tenantId, standing(tenantId, batches, number))}
    on conflict on constraint usage_value_pkey do nothing`.execute(tx);
}

/** The condition on an event `e` that it came in one of some batches, and is not voided. */
function standing(tenantId: string, batches: readonly string[], number: bigint) {
  return sql`e.batch_id = any(${batches}) and ${isStanding(tenantId, number)}`;
}
