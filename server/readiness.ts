import { sql } from "kysely";
import type { App } from "./app.ts";
import { inTime } from "./clock.ts";
import { readSchemaState } from "./db/migrate.ts";
import type { LoopReport } from "./loop.ts";
import { packageVersion } from "./version.ts";

// A statement that takes this long does not serve anybody.
const DATABASE_MS = 3_000;
// Failures in a row that are no accident: with the pauses between them, a quarter of a minute.
const FAILURES_MAX = 5;

/** Whether a process can do its work, and why not. Nothing in it is of a tenant: whoever reaches the port may ask. */
export interface Readiness {
  status: "ready" | "not_ready" | "stopping";
  version: string;
  /** The database's last migration, as far as it is known. */
  schema: string;
  /** What keeps calls from being answered. */
  reasons: string[];
  /** What keeps the work in the background from being done. */
  loopReasons: string[];
}

/** Who knows whether this process can do its work. */
export interface ReadinessCheck {
  /** Looks. Those who ask at the same time get one answer. */
  look(): Promise<Readiness>;
  /** Whether it is stopping. */
  readonly stopping: boolean;
  /** Says from now on that it is stopping: nobody is to send it anything more. */
  stop(): void;
}

/** Looks after a process. `loops` answers how its loops do; left out: it has none. */
export function createReadinessCheck(app: App, loops: () => readonly LoopReport[] = () => []): ReadinessCheck {
  const version = packageVersion();
  let stopping = false;
  let looking: Promise<Readiness> | undefined;
  const look = async (): Promise<Readiness> => {
    const { schema, reasons } = await lookAtDatabase(app);
    const loopReasons = loops().flatMap((loop) => problemOf(app, loop));
    const ready = reasons.length + loopReasons.length === 0;
    const status = stopping ? "stopping" : ready ? "ready" : "not_ready";
    return { status, version, schema, reasons, loopReasons };
  };
  return {
    look() {
      looking ??= look().finally(() => {
        looking = undefined;
      });
      return looking;
    },
    get stopping() {
      return stopping;
    },
    stop() {
      stopping = true;
    },
  };
}

/** Why a loop does not move. */
function problemOf(app: App, { name, working, aliveAt, failures }: LoopReport): string[] {
  const silentMs = app.clock.now().getTime() - aliveAt.getTime();
  if (working && silentMs > app.config.loopStallMs) {
    return [`the loop ${name} hangs: it has shown no sign of life for ${Math.round(silentMs / 1_000)} s`];
  }
  return failures >= FAILURES_MAX ? [`the loop ${name} has failed ${failures} times in a row`] : [];
}

async function lookAtDatabase(app: App): Promise<Pick<Readiness, "schema" | "reasons">> {
  try {
    const { at, missing } = await inTime(DATABASE_MS, ask(app), LATE);
    const lacks = `the database lacks ${missing.length} migrations, from ${missing[0]}: run "usageflow migrate"`;
    return { schema: at, reasons: missing.length > 0 ? [lacks] : [] };
  } catch (error) {
    // Its words may name hosts and logins, and are in the log of whoever runs into it.
    const code = error instanceof Error && "code" in error ? ` (${error.code})` : "";
    return { schema: "", reasons: [error === LATE ? LATE.message : `the database does not answer${code}`] };
  }
}

/** Where calls wait for connections, calls are answered; then it is enough that the workers' login reaches the database. */
async function ask(app: App) {
  const isBusy = app.pool.waitingCount > 0;
  if (!isBusy) await sql`select 1`.execute(app.db);
  return readSchemaState(app.workerDb);
}

const LATE = new Error(`the database did not answer within ${DATABASE_MS} ms`);
