import { sql } from "kysely";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { makeDue, type Work } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";

// A fold knows nothing of bills. Who must hear when a customer's usage changes after the fact leaves a watch; the fold
// leaves news and makes the watcher's work due, in its own transaction.

/** Who hears of usage, and the work that falls due with its news: in the order of `due.ts`. */
const WORK = { LATE_USAGE: "BILL_LATE_USAGE", THRESHOLDS: "CHECK_THRESHOLDS" } as const satisfies Record<string, Work>;

/** Who hears of usage. */
export type Watcher = keyof typeof WORK;

const WATCHERS = Object.keys(WORK) as Watcher[];

/** What a watcher wants to hear of: a customer's usage from before a time, or all of it. */
export interface Watch {
  customerId: string;
  until: Date | "infinity";
}

/** What a watcher has not looked at yet: a customer's usage of this hour or later ones changed. */
export interface News {
  customer_id: string;
  first_hour: Date;
}

/** Adds to what a watcher hears of. The caller keeps folds out, so that none slips between what it read and this. */
export async function watchUsage(tx: Tx, tenantId: string, watcher: Watcher, watches: readonly Watch[]): Promise<void> {
  if (watches.length === 0) return;
  await sql`
    insert into usage_watch (tenant_id, customer_id, watcher, until)
    select ${tenantId}, customer, ${watcher}, max(until_at)
    from unnest(
      ${watches.map((watch) => watch.customerId)}::text[],
      ${watches.map((watch) => watch.until)}::timestamptz[]
    ) as watch (customer, until_at)
    group by customer
    order by customer
    on conflict on constraint usage_watch_pkey do update set until = greatest(usage_watch.until, excluded.until)
    where usage_watch.until < excluded.until`.execute(tx);
}

/**
 * Leaves news of batches that are being folded, of usage or of voids, for those who watch their customers. Part of a fold.
 */
export async function tellWatchers(app: App, tx: Tx, tenantId: string, batches: readonly string[]): Promise<void> {
  const { rows } = await sql<News & { watcher: Watcher }>`
    select watch.watcher, watch.customer_id, date_trunc('hour', min(occurred_at), 'UTC') as first_hour
    from (
      select customer_id, occurred_at from usage_event where tenant_id = ${tenantId} and batch_id = any(${batches})
      union all
      select customer_id, occurred_at
      from usage_void void
      join usage_event on usage_event.tenant_id = void.tenant_id and usage_event.idempotency_key = void.idempotency_key
      where void.tenant_id = ${tenantId} and void.batch_id = any(${batches})
    ) event
    join usage_watch watch on watch.tenant_id = ${tenantId} and watch.customer_id = event.customer_id
      and event.occurred_at < watch.until
    group by watch.watcher, watch.customer_id`.execute(tx);
  if (rows.length > 0) await leaveNews(tx, tenantId, rows, await tenantNow(tx, tenantId, app.clock));
}

/** Leaves news for watchers, and makes their work due. */
export async function leaveNews(
  tx: Tx,
  tenantId: string,
  rows: readonly (News & { watcher: Watcher })[],
  now: Date,
): Promise<void> {
  const told = new Set(rows.map((row) => row.watcher));
  // First the right, then the rows: who takes the news has it too.
  for (const watcher of WATCHERS) if (told.has(watcher)) await makeDue(tx, tenantId, WORK[watcher], now);
  await sql`
    insert into usage_news (tenant_id, watcher, customer_id, first_hour)
    select ${tenantId}, * from unnest(
      ${rows.map((row) => row.watcher)}::text[],
      ${rows.map((row) => row.customer_id)}::text[],
      ${rows.map((row) => row.first_hour)}::timestamptz[]
    )
    order by 2, 3
    on conflict on constraint usage_news_pkey
      do update set first_hour = least(usage_news.first_hour, excluded.first_hour)`.execute(tx);
}

/** Takes some of a watcher's news, in the order of customers. The caller has the right to its work. */
export async function takeNews(tx: Tx, tenantId: string, watcher: Watcher, limit: number): Promise<News[]> {
  const { rows } = await sql<News>`
    delete from usage_news
    where tenant_id = ${tenantId} and watcher = ${watcher} and customer_id in (
      select customer_id from usage_news where tenant_id = ${tenantId} and watcher = ${watcher}
      order by customer_id limit ${limit}
    )
    returning customer_id, first_hour`.execute(tx);
  return rows;
}
