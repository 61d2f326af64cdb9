import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { sql } from "kysely";
import type { App } from "./app.ts";
import { plusMs } from "./clock.ts";
import { errorFacts } from "./log.ts";
import type { LoopReport } from "./loop.ts";
import type { ReadinessCheck } from "./readiness.ts";
import { packageVersion } from "./version.ts";

/** What a process runs. */
export type ServeRole = "api" | "worker" | "all";

/** How often a process says that it is there. */
export const SEEN_EVERY_MS = 10_000;
// Whoever was not seen for this long did not stop in order, and is of no interest any more.
const FORGET_AFTER_MS = 24 * 60 * 60_000;

/** A process that says that it is there, until closed. */
export interface Registration {
  /** Takes its row away. */
  close(): Promise<void>;
}

interface Facts {
  role: ServeRole;
  /** Where its API listens; empty: it has none. */
  url: string;
  loops: () => readonly LoopReport[];
}

/** Writes into the database that this process is there, and how it does, for `usageflow status`. */
export function registerProcess(app: App, readiness: ReadinessCheck, facts: Facts): Registration {
  const id = randomUUID();
  const own = { id, startedAt: app.clock.now(), version: packageVersion(), ...facts };
  const stop = new AbortController();
  const run = async () => {
    while (!stop.signal.aborted) {
      // Where the database is away, others have said so.
      await note(app, readiness, own).catch((error) => app.log.warn("process.not_noted", errorFacts(error)));
      await app.clock.sleep(SEEN_EVERY_MS, stop.signal);
    }
    const gone = app.workerDb.deleteFrom("server_process").where("id", "=", id).execute();
    await gone.catch((error) => app.log.warn("process.not_noted", errorFacts(error)));
  };
  const ended = run();
  return {
    async close() {
      stop.abort();
      await ended;
    },
  };
}

async function note(
  app: App,
  readiness: ReadinessCheck,
  { id, startedAt, version, role, url, loops }: Facts & { id: string; startedAt: Date; version: string },
): Promise<void> {
  const { reasons, loopReasons } = await readiness.look();
  const now = app.clock.now();
  const told = loops().map(({ name, failures, lastError }) => ({
    ...{ name, failures },
    ...(lastError ? { lastError: { at: lastError.at.toISOString(), error: lastError.error.slice(0, ERROR_MAX) } } : {}),
  }));
  await sql`
    with gone as (delete from server_process where seen_at < ${plusMs(now, -FORGET_AFTER_MS)} and id <> ${id})
    insert into server_process (id, role, version, host, pid, url, started_at, seen_at, problems, loops)
    values (${id}, ${role}, ${version}, ${hostname()}, ${process.pid}, ${url}, ${startedAt}, ${now},
      ${[...reasons, ...loopReasons]}::text[], ${JSON.stringify(told)}::jsonb)
    on conflict on constraint server_process_pkey do update set
      seen_at = excluded.seen_at, problems = excluded.problems, loops = excluded.loops`.execute(app.workerDb);
}

const ERROR_MAX = 1_000;
