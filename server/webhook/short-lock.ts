import { sql } from "kysely";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";

// A lock that closes a table is waited for behind those who use it, and all others stand behind who waits: for so long, and
// then it is asked for again after a pause.
const LOCK_TIMEOUT_MS = 100;
const PAUSE_MS = 1_000;
const TRIES = 5;

const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Runs `work`, which closes tables that traffic uses, in a transaction of the workers, and again when a lock was not to be
 * had. Answers 0 when it never was: the next pass tries anew.
 */
export async function withShortLocks(app: App, name: string, work: (tx: Tx) => Promise<number>): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await app.workerDb.transaction().execute(async (tx) => {
        await sql`set local lock_timeout = ${sql.lit(LOCK_TIMEOUT_MS)}`.execute(tx);
        return work(tx);
      });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === LOCK_NOT_AVAILABLE)) throw error;
      if (attempt === TRIES) {
        app.log.warn("log.lock_not_had", { work: name, tries: TRIES });
        return 0;
      }
      await app.clock.sleep(PAUSE_MS);
    }
  }
}
