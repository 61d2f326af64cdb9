import { type RawBuilder, sql } from "kysely";
import type { Db, Tx } from "../db/database.ts";
import { NIL_ID } from "../id.ts";
import type { LogName, LogPartition } from "./log-week.ts";

/**
 * Copies what is still needed from a partition that was taken out of its table back into the table, where it is in the rest:
 * deliveries that wait, their attempts, and events that wait or whose deliveries do.
 */
export async function moveNeeded(tx: Tx, part: LogPartition): Promise<void> {
  const { log } = part;
  const columns = await columnsOf(tx, log);
  // By key, row by row: few rows of many, whatever the planner thinks of a queue's size.
  await sql`
    insert into ${sql.id(log)} (${columns})
    select kept.* from (${neededOf(part)}) as needed (tenant_id, id)
    cross join lateral (
      select ${columns} from ${sql.id(part.name)} part
      where part.tenant_id = needed.tenant_id and part.${sql.id(keyOf(log))} = needed.id
      offset 0
    ) as kept`.execute(tx);
}

/** How many deliveries or events a partition has that are still needed, counted up to `limit`. */
export async function countNeeded(db: Db, part: LogPartition, limit: number): Promise<number> {
  const { rows } = await sql<{ needed: number }>`
    select count(*)::integer as needed from (${neededOf(part)} limit ${limit}) as needed`.execute(db);
  return rows[0]?.needed ?? 0;
}

/** Keys of the rows that are still needed. */
function neededOf({ log, from, to }: LogPartition): RawBuilder<unknown> {
  const within = (id: RawBuilder<unknown>) => sql`${id} >= ${from || NIL_ID}::uuid and ${id} < ${to}::uuid`;
  if (log !== "outbox_event") {
    return sql`select tenant_id, delivery_id from delivery_due where ${within(sql`delivery_id`)}`;
  }
  return sql`
    select tenant_id, event_id from delivery_due where ${within(sql`event_id`)}
    union
    select tenant_id, event_id from outbox_pending where ${within(sql`event_id`)}`;
}

function keyOf(log: LogName): string {
  return log === "delivery_attempt" ? "delivery_id" : "id";
}

/** All columns that can be written, read from the database: one that a later migration adds must not stay behind. */
async function columnsOf(tx: Tx, log: LogName): Promise<RawBuilder<unknown>> {
  const { rows } = await sql<{ name: string }>`
    select attname as name from pg_attribute
    where attrelid = ${log}::regclass and attnum > 0 and not attisdropped and attgenerated = ''
    order by attnum`.execute(tx);
  return sql.join(rows.map(({ name }) => sql.id(name)));
}
