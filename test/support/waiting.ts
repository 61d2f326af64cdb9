import { sql } from "kysely";
import type { Db } from "../../server/db/database.ts";

/** Ends the connection of a statement that waits for a lock in this database, as soon as there is one. */
export async function terminateWaiting(ownerDb: Db): Promise<void> {
  for (let ended = 0; ended === 0; ) {
    const { rows } = await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`.execute(ownerDb);
    ended = rows.length;
  }
}

/** Returns as soon as a statement waits for a lock in this database. */
export async function untilWaiting(ownerDb: Db): Promise<void> {
  for (let waiting = 0; waiting === 0; ) {
    const { rows } = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(ownerDb);
    waiting = rows.length;
  }
}
