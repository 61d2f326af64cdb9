import { sql } from "kysely";
import type { Db } from "../../server/db/database.ts";

/** Ends the connection of a statement that waits for a lock in this database, as soon as there is one. */
export function terminateWaiting(ownerDb: Db): Promise<void> {
  return endWaiting(ownerDb, "pg_terminate_backend");
}

/** Makes a statement that waits for a lock in this database fail, as soon as there is one. */
export function cancelWaiting(ownerDb: Db): Promise<void> {
  return endWaiting(ownerDb, "pg_cancel_backend");
}

async function endWaiting(ownerDb: Db, end: string): Promise<void> {
  for (let ended = 0; ended === 0; ) {
    const { rows } = await sql`
      select ${sql.raw(end)}(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`.execute(ownerDb);
    ended = rows.length;
  }
}
