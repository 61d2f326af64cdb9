import { sql } from "kysely";
import type pg from "pg";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { type Db, openDatabase } from "./db/database.ts";
import { checkLogin, hasStatementTimeout } from "./db/login.ts";
import { checkSchema } from "./db/migrate.ts";
import { createHints, type Hints } from "./hint.ts";
import type { Lockstep } from "./lockstep.ts";
import { createLog, errorFacts, type Log } from "./log.ts";
import { noteLife } from "./loop.ts";
import { createObserver } from "./observe/create-observer.ts";
import type { Observer } from "./observe/observer.ts";
import { createSecrets, type Secrets } from "./secrets.ts";
import { checkKeys } from "./used-keys.ts";

/** What every part of the server is given. Only `main.ts`, the emulator and the tests make one. */
export interface App {
  readonly config: Config;
  /** As the role usageflow_app: for calls. */
  readonly db: Db;
  /** The connections below `db`, for the one statement that is sent by hand: ingest. */
  readonly pool: pg.Pool;
  /** As the role usageflow_worker: for loops. */
  readonly workerDb: Db;
  /** Wakes loops when there is work for them. */
  readonly hints: Hints;
  readonly clock: Clock;
  readonly log: Log;
  /** Metrics and traces. Nobody's, unless the configuration says whose. */
  readonly observer: Observer;
  readonly secrets: Secrets;
  /** Calls and the work that follows from them go one after the other. Undefined, as in production: side by side. */
  readonly lockstep: Lockstep | undefined;
}

const LOOP_WAIT_MAX_MS = 10_000;

/** Opens the database under both roles. Throws when a login is not what it should be, or the schema or the keys are others. */
export async function createApp(
  config: Config,
  parts: { clock?: Clock; log?: Log; lockstep?: Lockstep | undefined } = {},
): Promise<App> {
  const log = parts.log ?? createLog(config.logLevel);
  const observer = await createObserver(config, log);
  const clock = parts.clock ?? systemClock;
  const open = (url: string, forCalls: boolean) =>
    openDatabase({
      ...{ url, forCalls },
      ...(forCalls ? {} : { onAnswer: noteLife }),
      // A loop has time to wait for its turn, and nobody waits for it.
      limits: forCalls ? config : { ...config, waitMaxMs: LOOP_WAIT_MAX_MS },
      connectionsMax: config.databaseConnectionsMax,
      statementTimeoutMs: config.statementTimeoutMs,
      onIdleError: (error) => log.warn("database.connection_lost", errorFacts(error)),
      onWorkLeft: (loops) => hints.note(loops),
    });
  const { db, pool } = open(config.databaseUrl, true);
  const { db: workerDb, pool: workerPool } = open(config.workerDatabaseUrl, false);
  const hints = createHints({
    ...{ clock, log, listenUrl: config.listenUrl },
    notify: async (channel, payload) => void (await sql`select pg_notify(${channel}, ${payload})`.execute(workerDb)),
  });
  const app: App = {
    config,
    db,
    pool,
    workerDb,
    hints,
    clock,
    log,
    observer,
    secrets: createSecrets(config),
    lockstep: parts.lockstep,
  };
  try {
    await checkLogin(db, "usageflow_app");
    await checkLogin(workerDb, "usageflow_worker");
    for (const [login, one] of Object.entries({ usageflow_app: db, usageflow_worker: workerDb })) {
      if (!(await hasStatementTimeout(one))) log.warn("database.no_statement_timeout", { login });
    }
    await checkSchema(db);
    await checkKeys(db, app);
    if (observer.metering) (await import("./observe/gauges.ts")).watchProcess(app, { app: pool, worker: workerPool });
  } catch (error) {
    await closeApp(app);
    throw error;
  }
  return app;
}

/** Closes the database. Whoever uses the app has been closed before. */
export async function closeApp(app: App): Promise<void> {
  await app.hints.close();
  await app.observer.close(); // what it reads last is asked of the database
  await Promise.all([app.db.destroy(), app.workerDb.destroy()]);
}
