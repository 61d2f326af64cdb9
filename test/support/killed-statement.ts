import { type KyselyPlugin, sql } from "kysely";
import type { App } from "../../server/app.ts";
import type { Db } from "../../server/db/database.ts";

/**
 * The app of a worker that dies: its connection is cut from outside after so many statements, with what its transaction
 * has done by then. The cut is real; what the database makes of it is what it makes of a SIGKILL.
 */
export function dyingApp(app: App, ownerDb: Db, statements: number): App {
  let left = statements;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      if (--left === 0) {
        await sql`
          select pg_terminate_backend(pid, 5000) from pg_stat_activity
          where datname = current_database() and usename = 'usageflow_worker' and state = 'idle in transaction'`.execute(
          ownerDb,
        );
      }
      return result;
    },
  };
  return { ...app, workerDb: app.workerDb.withPlugin(plugin) };
}
