import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import { timeOfId } from "../id.ts";
import type { GaugeName, LabelsOf } from "./metric.ts";

// How the work behind the calls is doing, as the database knows it. Each question reads what waits and never what is done,
// and of that no more than so many rows: it costs the same however much is stored.

const WAITING_MAX = 10_000;
const TENANTS_MAX = 1_000;
const TIMEOUT_MS = 2_000;
/** What is due is done at once: what has been due for longer is overdue. */
const OVERDUE_MS = 60_000;

/** Those of which every row is changed or deleted soon. */
const HOT_TABLES = [
  ...[
    "usage_batch",
    "usage_bucket",
    "usage_progress",
    "outbox_pending",
    "delivery_due",
    "endpoint",
    "endpoint_failure",
  ],
  ...["tenant_due", "subscription", "invoice", "api_key", "rpc_answer"],
];

/** The gauges that the database is asked for. */
export const VITAL_GAUGES = [
  "usageflow_usage_lag_seconds",
  "usageflow_usage_batches_waiting",
  "usageflow_outbox_events_waiting",
  "usageflow_outbox_oldest_seconds",
  "usageflow_deliveries_waiting",
  "usageflow_billing_overdue_tenants",
  "usageflow_billing_overdue_seconds",
  "usageflow_database_oldest_snapshot_seconds",
  "usageflow_table_dead_tuples",
  "usageflow_table_live_tuples",
] as const satisfies GaugeName[];
type VitalName = (typeof VITAL_GAUGES)[number];

/** The value of one gauge. */
export interface Vital {
  name: VitalName;
  labels: LabelsOf<VitalName>;
  value: number;
}

/** Asks the database, over one connection of the workers, and for two seconds at most. */
export async function readVitals(app: App): Promise<readonly Vital[]> {
  return app.workerDb.transaction().execute(async (tx) => {
    await sql.raw(`set local statement_timeout = ${TIMEOUT_MS}`).execute(tx);
    return [...(await queues(app, tx)), ...(await overdue(app, tx)), ...(await snapshot(tx)), ...(await tables(tx))];
  });
}

async function queues(app: App, tx: Tx): Promise<Vital[]> {
  const { rows } = await sql<{
    batches: bigint;
    oldest_batch: Date | null;
    events: bigint;
    oldest_event: string | null;
    deliveries: bigint;
  }>`
    select batches, oldest_batch, events, oldest_event, deliveries from
      (select count(*) as batches, min(created_at) as oldest_batch
        from (select created_at from usage_batch limit ${WAITING_MAX}) as waiting) as usage,
      (select count(*) as events, min(event_id::text) as oldest_event
        from (select event_id from outbox_pending limit ${WAITING_MAX}) as waiting) as outbox,
      (select count(*) as deliveries from (select from delivery_due limit ${WAITING_MAX}) as waiting) as delivery`.execute(
    tx,
  );
  const [row] = rows as [(typeof rows)[number]]; // aggregates answer one row
  const age = (at: Date | undefined | null) => (at ? Math.max(0, app.clock.now().getTime() - at.getTime()) / 1_000 : 0);
  return [
    vital("usageflow_usage_batches_waiting", {}, row.batches),
    vital("usageflow_usage_lag_seconds", {}, age(row.oldest_batch)),
    vital("usageflow_outbox_events_waiting", {}, row.events),
    vital("usageflow_outbox_oldest_seconds", {}, age(row.oldest_event ? timeOfId(row.oldest_event) : null)),
    vital("usageflow_deliveries_waiting", {}, row.deliveries),
  ];
}

/** Of live tenants alone: the clock of a test tenant jumps, and its month is due in the same second. */
async function overdue(app: App, tx: Tx): Promise<Vital[]> {
  const now = app.clock.now();
  const { rows } = await sql<{ work: string; tenants: bigint; seconds: number }>`
    select asked.work, count(due.due_at) as tenants,
      coalesce(extract(epoch from ${now}::timestamptz - min(due.due_at)), 0)::float8 as seconds
    from unnest(array['CLOSE_PERIODS', 'FINALIZE_INVOICES']) as asked (work)
    left join (
      select d.work, d.due_at from tenant_due d join tenant t on t.tenant_id = d.tenant_id
      where d.due_at < ${plusMs(now, -OVERDUE_MS)} and d.work in ('CLOSE_PERIODS', 'FINALIZE_INVOICES') and t.kind = 'LIVE'
      order by d.due_at limit ${TENANTS_MAX}
    ) as due on due.work = asked.work
    group by asked.work`.execute(tx);
  return rows.flatMap(({ work, tenants, seconds }) => [
    vital("usageflow_billing_overdue_tenants", { work: work.toLowerCase() }, tenants),
    vital("usageflow_billing_overdue_seconds", { work: work.toLowerCase() }, seconds),
  ]);
}

async function snapshot(tx: Tx): Promise<Vital[]> {
  const { rows } = await sql<{ seconds: number }>`select oldest_snapshot_seconds() as seconds`.execute(tx);
  return rows.map(({ seconds }) => vital("usageflow_database_oldest_snapshot_seconds", {}, seconds));
}

async function tables(tx: Tx): Promise<Vital[]> {
  const { rows } = await sql<{ relname: string; dead: bigint; live: bigint }>`
    select relname, n_dead_tup as dead, n_live_tup as live from pg_stat_user_tables
    where schemaname = 'public' and relname = any(${HOT_TABLES})`.execute(tx);
  return rows.flatMap(({ relname: table, dead, live }) => [
    vital("usageflow_table_dead_tuples", { table }, dead),
    vital("usageflow_table_live_tuples", { table }, live),
  ]);
}

function vital<Name extends VitalName>(name: Name, labels: LabelsOf<Name>, value: number | bigint): Vital {
  return { name, labels: labels as Vital["labels"], value: Number(value) };
}
