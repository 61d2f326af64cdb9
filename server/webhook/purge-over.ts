import { type RawBuilder, sql } from "kysely";
import type { App } from "../app.ts";
import { NIL_ID } from "../id.ts";
import { idBoundary } from "./log-week.ts";
import { withShortLocks } from "./short-lock.ts";

// Rows of each table that one pass looks at.
const LOOK_MAX = 1_000;

interface Key {
  tenant_id: string;
  id: string;
}

const BEFORE_ALL: Key = { tenant_id: NIL_ID, id: NIL_ID };

/** Up to where each app has looked, by table: those of a round begin anew when all have come to their ends. */
const places = new WeakMap<App, Map<string, Key | "end">>();

/**
 * Deletes what is over from partitions where rows are that outlive their week, such as those of the `rest`: deliveries that
 * were over before a time, with their attempts, and events that none is about. A little at a time; answers 0 when it has
 * come round and nothing went.
 */
export async function purgeOver(app: App, part: string, before: Date): Promise<number> {
  const deliveries = await look(app, `delivery_${part}`, sql`row.completed_at < ${before}`);
  const events = await look(app, `outbox_event_${part}`, isUnneeded(before));
  const gone =
    (await deleteDeliveries(app, part, deliveries.over, before)) + (await deleteEvents(app, part, events.over, before));
  if (!deliveries.atEnd || !events.atEnd) return gone + 1;
  for (const table of [`delivery_${part}`, `outbox_event_${part}`]) places.get(app)?.delete(table);
  return gone;
}

/** The next rows of a table that are over. */
async function look(app: App, table: string, isOver: RawBuilder<unknown>) {
  const own = places.get(app) ?? new Map<string, Key | "end">();
  const after = own.get(table) ?? BEFORE_ALL;
  if (after === "end") return { over: [], atEnd: true };
  const { rows } = await sql<Key & { over: boolean | null }>`
    select tenant_id, id, ${isOver} as over from ${sql.id(table)} row
    where (tenant_id, id) > (${after.tenant_id}::uuid, ${after.id}::uuid)
    order by tenant_id, id limit ${LOOK_MAX}`.execute(app.workerDb);
  const atEnd = rows.length < LOOK_MAX;
  places.set(app, own.set(table, (!atEnd && rows.at(-1)) || "end"));
  return { over: rows.filter((row) => row.over), atEnd };
}

/** Whether no event that is to be dispatched, and no delivery that waits or was over since, is about an event. */
function isUnneeded(before: Date): RawBuilder<unknown> {
  return sql`row.id < ${idBoundary(before)}::uuid
    and not exists (select from outbox_pending p where p.tenant_id = row.tenant_id and p.event_id = row.id offset 0)
    and not exists (
      select from delivery d
      where d.tenant_id = row.tenant_id and d.event_id = row.id and (d.completed_at is null or d.completed_at >= ${before})
      offset 0 -- by key, row by row
    )`;
}

/** One that is sent again meanwhile is not over any more, and stays. */
async function deleteDeliveries(app: App, part: string, over: readonly Key[], before: Date): Promise<number> {
  if (over.length === 0) return 0;
  const { rows } = await sql<{ gone: number }>`
    with gone as (
      delete from ${sql.id(`delivery_${part}`)} d using (${keysOf(over)}) as over
      where d.tenant_id = over.tenant_id and d.id = over.id and d.completed_at < ${before}
      returning d.tenant_id, d.id
    ), attempts as (
      delete from ${sql.id(`delivery_attempt_${part}`)} a using gone where a.tenant_id = gone.tenant_id and a.delivery_id = gone.id
    )
    select count(*)::integer as gone from gone`.execute(app.workerDb);
  return rows[0]?.gone ?? 0;
}

/** Who makes a delivery of an event has looked at the event, and holds its table: while it is closed nobody does. */
async function deleteEvents(app: App, part: string, over: readonly Key[], before: Date): Promise<number> {
  if (over.length === 0) return 0;
  return withShortLocks(app, "purge", async (tx) => {
    await sql`lock table ${sql.id(`outbox_event_${part}`)} in access exclusive mode`.execute(tx);
    const { numAffectedRows } = await sql`
      delete from ${sql.id(`outbox_event_${part}`)} row using (${keysOf(over)}) as over
      where row.tenant_id = over.tenant_id and row.id = over.id and ${isUnneeded(before)}`.execute(tx);
    return Number(numAffectedRows ?? 0);
  });
}

function keysOf(rows: readonly Key[]): RawBuilder<unknown> {
  return sql`select * from unnest(
    ${rows.map((row) => row.tenant_id)}::uuid[], ${rows.map((row) => row.id)}::uuid[]) as key (tenant_id, id)`;
}
