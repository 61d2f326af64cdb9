import { type RawBuilder, sql } from "kysely";
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

/** Returns as soon as so many statements wait for locks in this database. */
export async function untilWaiting(ownerDb: Db, most = 1): Promise<void> {
  for (let waiting = 0; waiting < most; ) {
    const { rows } = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(ownerDb);
    waiting = rows.length;
  }
}

/** Holds what a statement locks, and answers how to let it go. */
export async function holding(ownerDb: Db, statement: RawBuilder<unknown>): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const over = ownerDb.transaction().execute(async (tx) => {
    await statement.execute(tx);
    held.resolve();
    await end.promise;
  });
  await held.promise;
  return () => {
    end.resolve();
    return over;
  };
}
