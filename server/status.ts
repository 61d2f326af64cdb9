import { sql } from "kysely";
import type { Clock } from "./clock.ts";
import { plusMs } from "./clock.ts";
import { type Db, openDatabase } from "./db/database.ts";
import { checkWorkersLogin } from "./db/login.ts";
import { readSchemaState, type SchemaState } from "./db/migrate.ts";
import { SEEN_EVERY_MS, type ServeRole } from "./server-process.ts";
import { packageVersion } from "./version.ts";

// How the whole installation does, over all tenants: for whoever runs it, and no tenant's to see.

// Counting goes on up to here: a queue that is longer is long.
const COUNT_MAX = 100_000;
// What waits longer is worth a look: loops come round within a second, and billing of a large tenant takes minutes.
const LATE_MS = 5 * 60_000;

/** A process of the server. */
export interface ServerProcess {
  role: ServeRole;
  version: string;
  host: string;
  pid: number;
  url: string;
  startedAt: Date;
  seenAt: Date;
  /** Whether it was seen just now. */
  there: boolean;
  /** Why it is not ready. */
  problems: string[];
}

/** Work that waits. */
export interface Queue {
  name: string;
  /** How much; at most `COUNT_MAX`, which stands for that and more. */
  depth: number;
  /** Since when the oldest of it waits. */
  oldest: Date | null;
}

/** What a loop ran into last. */
export interface LoopError {
  at: Date;
  process: string;
  loop: string;
  error: string;
}

export interface Status {
  now: Date;
  /** Of the program that asks. */
  version: string;
  schema: SchemaState;
  processes: ServerProcess[];
  queues: Queue[];
  errors: LoopError[];
  /** What is wrong, in words. */
  problems: string[];
}

/** Reads how an installation does, with the login of the workers: a few short statements, whether a server runs or not. */
export async function readStatus(workerUrl: string, clock: Clock): Promise<Status> {
  const { db } = openDatabase({ url: workerUrl, connectionsMax: 1, statementTimeoutMs: 5_000, onIdleError: () => {} });
  try {
    const now = clock.now();
    const schema = await readSchemaState(db);
    const status = { now, version: packageVersion(), schema };
    if (schema.missing.length > 0) {
      const problems = [`the database lacks ${schema.missing.length} migrations: run "usageflow migrate"`];
      return { ...status, processes: [], queues: [], errors: [], problems };
    }
    await checkWorkersLogin(db);
    const { processes, errors } = await readProcesses(db, now);
    const queues = await readQueues(db, now);
    return { ...status, processes, errors, queues, problems: problemsOf({ ...status, processes, queues }) };
  } finally {
    await db.destroy();
  }
}

async function readProcesses(db: Db, now: Date): Promise<Pick<Status, "processes" | "errors">> {
  const rows = await db.selectFrom("server_process").selectAll().orderBy("started_at").orderBy("id").execute();
  const processes = rows.map((row) => ({
    ...{ role: row.role as ServeRole, version: row.version, host: row.host, pid: row.pid, url: row.url },
    ...{ startedAt: row.started_at, seenAt: row.seen_at, problems: row.problems },
    there: row.seen_at.getTime() > now.getTime() - 3 * SEEN_EVERY_MS,
  }));
  const errors = rows.flatMap(({ host, pid, loops }) =>
    (loops as unknown as NotedLoop[]).flatMap(({ name, lastError }) =>
      lastError ? [{ process: `${host}:${pid}`, loop: name, at: new Date(lastError.at), error: lastError.error }] : [],
    ),
  );
  return { processes, errors: errors.sort((a, b) => b.at.getTime() - a.at.getTime()) };
}

interface NotedLoop {
  name: string;
  lastError?: { at: string; error: string };
}

async function readQueues(db: Db, now: Date): Promise<Queue[]> {
  const count = (of: ReturnType<typeof sql>) =>
    sql<number>`(select count(*)::integer from (select ${of} limit ${COUNT_MAX}) as waiting)`;
  const { rows } = await sql<{ name: string; depth: number; oldest: Date | null }>`
    select 'usage to be counted, in batches' as name, ${count(sql`from usage_batch`)} as depth,
      (select min(created_at) from (select created_at from usage_batch limit ${COUNT_MAX}) as batch) as oldest
    union all
    select 'tenants with billing due', ${count(sql`from ${dueTenants(now)}`)}, (select min(since) from ${dueTenants(now)})
    union all
    select 'clocks on their way', ${count(sql`from tenant where clock_target is not null`)}, null
    union all
    select 'events to be dispatched', ${count(sql`from outbox_pending`)},
      (select to_timestamp(('x' || lpad(left(replace(min(event_id::text), '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0)
        from (select event_id from outbox_pending limit ${COUNT_MAX}) as event)
    union all
    select 'deliveries due', ${count(sql`from ${dueDeliveries(now)}`)}, (select min(since) from ${dueDeliveries(now)})
    union all
    select 'deliveries that wait for their next attempt',
      ${count(sql`from delivery_due where next_attempt_at > ${now} or lease_until > ${now}`)}, null
    union all
    select 'endpoints that fail', ${count(sql`from endpoint_failure`)}, (select min(failing_since) from endpoint_failure)
    union all
    select 'endpoints that are disabled',
      ${count(sql`from endpoint where disabled_at is not null and deleted_at is null`)},
      (select min(disabled_at) from endpoint where deleted_at is null)`.execute(db);
  return rows;
}

/** Tenants of which something is due by their own clocks, and since when by ours. */
function dueTenants(now: Date) {
  return sql`(
    select d.tenant_id, ${now}::timestamptz - max(clock.now - d.due_at) as since
    from tenant_due d join tenant t on t.tenant_id = d.tenant_id
    cross join lateral (
      select coalesce(t.clock_frozen_at, ${now}::timestamptz + t.clock_offset_ms * interval '1 millisecond') as now
    ) as clock
    where t.clock_frozen_at is null and d.due_at > '-infinity' and d.due_at <= clock.now group by d.tenant_id
  ) as due`;
}

/** Of endpoints that take deliveries, those that are due and that nobody holds. */
function dueDeliveries(now: Date) {
  return sql`(
    select greatest(due.created_at, due.next_attempt_at) as since
    from delivery_due due join endpoint using (tenant_id)
    where endpoint.id = due.endpoint_id and due.next_attempt_at <= ${now}
      and (due.lease_until is null or due.lease_until <= ${now})
      and paused_at is null and disabled_at is null and listener_name is null
    limit ${COUNT_MAX}
  ) as due`;
}

/** What of it is wrong. */
function problemsOf({ now, schema, processes, queues }: Omit<Status, "problems" | "errors">): string[] {
  const there = processes.filter((one) => one.there);
  const works = there.some(({ role }) => role !== "api");
  const versions = [...new Set(there.map(({ version }) => version))];
  return [
    ...(schema.unknown.length > 0
      ? [`the database has migrations of a newer server (${schema.unknown.join(", ")}) than this program`]
      : []),
    ...(works ? [] : ["no process works in the background: nothing is counted, billed or sent"]),
    ...(there.some(({ role }) => role !== "worker") ? [] : ["no process answers calls"]),
    ...(versions.length > 1 ? [`processes of ${versions.length} versions run: ${versions.join(", ")}`] : []),
    ...there.flatMap(({ host, pid, problems }) => problems.map((problem) => `${host}:${pid}: ${problem}`)),
    ...processes.flatMap((one) =>
      one.there ? [] : [`${one.host}:${one.pid} (${one.role}) was not seen for ${ago(now, one.seenAt)}`],
    ),
    ...queues.flatMap(({ name, oldest }) =>
      oldest && oldest < plusMs(now, -LATE_MS) && !name.startsWith("endpoints")
        ? [`${name}: the oldest has waited for ${ago(now, oldest)}`]
        : [],
    ),
  ];
}

/** A span in words, as `3 min`. */
function ago(now: Date, then: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - then.getTime()) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
