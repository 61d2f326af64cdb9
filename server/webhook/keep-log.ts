import { type RawBuilder, sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Db, Tx } from "../db/database.ts";
import {
  DAY_MS,
  idBoundary,
  LOGS,
  type LogName,
  type LogPartition,
  partitionsToDrop,
  readPartition,
  WEEK_MS,
  weeksToMake,
} from "./log-week.ts";
import { countNeeded, moveNeeded } from "./move-needed.ts";
import { purgeOver } from "./purge-over.ts";
import { withShortLocks } from "./short-lock.ts";

/** Rest after a pass that found nothing: partitions are made weeks ahead, and what is dropped hurries nobody. */
export const KEEP_LOG_IDLE_MS = 10 * 60 * 1_000;
/** Rest after one that found something: a purge leaves others their turn. */
export const KEEP_LOG_REST_MS = 100;

// Rows of one table that are moved while all wait: some tenths of a second.
const MOVED_MAX = 10_000;

/**
 * One pass over the log, which is partitioned by weeks (migration 0034): makes those to come, drops those that are older than
 * they are kept, and purges what is over where rows outlived their week. Answers 0 when there was nothing to do. Any number
 * of processes may do it at the same time.
 */
export async function keepLog(app: App, stop?: AbortSignal): Promise<number> {
  const now = app.clock.now();
  const days = app.config.webhookRetentionDays;
  const before = plusMs(now, -days * DAY_MS);
  const parts = await readParts(app.workerDb);
  let done = 0;
  for (const week of weeksToMake(now, parts)) done += await makeWeek(app, week);
  for (const week of Map.groupBy(partitionsToDrop(now, days, parts), ({ to }) => to).values()) {
    if (stop?.aborted) break;
    done += (await hasMuchWaiting(app.workerDb, week)) ? await purgeWeek(app, week, before) : await dropWeek(app, week);
  }
  return done + (await purgeOver(app, "rest", before));
}

/** The partitions of the log, but for those of the rest. */
async function readParts(db: Db): Promise<LogPartition[]> {
  const { rows } = await sql<{ log: LogName; name: string; bounds: string }>`
    select log.name as log, part.relname as name, pg_get_expr(part.relpartbound, part.oid) as bounds
    from unnest(${LOGS}::text[]) as log (name)
    join pg_inherits on inhparent = log.name::regclass
    join pg_class part on part.oid = inhrelid`.execute(db);
  return rows.flatMap(({ log, name, bounds }) => readPartition(log, name, bounds) ?? []);
}

/** A week gets all its partitions, or none: rows that belong together go together. */
async function makeWeek(app: App, week: Date): Promise<number> {
  if (await restHas(app.workerDb, week)) {
    // Made when there was no partition, or by a clock that was ahead: there it stays, and all of that week with it.
    app.log.info("log.week_in_rest", { week: week.toISOString() });
    return 0;
  }
  return withShortLocks(app, "make", async (tx) => {
    let made = 0;
    for (const log of LOGS) made += await isDone(sql`make_log_week(${log}, ${week})`, tx);
    return made;
  });
}

async function restHas(db: Db, week: Date): Promise<boolean> {
  const [from, to] = [idBoundary(week), idBoundary(plusMs(week, WEEK_MS))];
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from delivery_rest where id >= ${from} and id < ${to})
      or exists (select from delivery_attempt_rest where delivery_id >= ${from} and delivery_id < ${to})
      or exists (select from outbox_event_rest where id >= ${from} and id < ${to}) as found`.execute(db);
  return rows[0]?.found ?? false;
}

/** Whether more of a week is still needed than is moved while all wait. */
async function hasMuchWaiting(db: Db, week: readonly LogPartition[]): Promise<boolean> {
  for (const part of week) {
    if ((await countNeeded(db, part, MOVED_MAX + 1)) > MOVED_MAX) return true;
  }
  return false;
}

/** Drops what is over, and moves to the rest what is still needed: one transaction, so that nobody sees anything between. */
function dropWeek(app: App, week: readonly LogPartition[]): Promise<number> {
  return withShortLocks(app, "drop", async (tx) => {
    let taken = 0;
    for (const { log, name } of week) taken += await isDone(sql`detach_log_partition(${log}, ${name})`, tx);
    if (taken === 0) return 0; // another process was first
    if (taken < week.length) throw new Error(`partitions are missing of ${week.map(({ name }) => name).join(", ")}`);
    for (const part of week) await moveNeeded(tx, part);
    for (const { name } of week) await sql`select drop_log_partition(${name})`.execute(tx);
    return taken;
  });
}

/** Purges a week that has too much waiting to be dropped. */
async function purgeWeek(app: App, week: readonly LogPartition[], before: Date): Promise<number> {
  let opened = 0;
  for (const { log, name } of week) opened += await isDone(sql`open_log_partition(${log}, ${name})`, app.workerDb);
  const [part] = week;
  return part && opened === LOGS.length ? purgeOver(app, part.name.slice(part.log.length + 1), before) : 0;
}

/** Calls a function of the database that answers whether it did something: 1 when it did. */
async function isDone(call: RawBuilder<unknown>, db: Db | Tx): Promise<number> {
  const { rows } = await sql<{ done: boolean }>`select ${call} as done`.execute(db);
  return rows[0]?.done ? 1 : 0;
}
