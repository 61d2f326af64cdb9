import { sql } from "kysely";
import type { App } from "../../server/app.ts";
import { keepLog } from "../../server/webhook/keep-log.ts";
import { idBoundary, LOGS, WEEK_MS, weekOf } from "../../server/webhook/log-week.ts";
import type { Harness } from "../support/harness.ts";

const DAY = 86_400_000;

/** Partitions that there are, but for those of the rest: of three weeks and three tables. */
export const THIS_AND_NEXT = 3 * 3;

/**
 * Makes all that is in the log so many days older, ids included, in partitions of its week: no test can wait until it is.
 */
export async function ageLog({ ownerDb: db }: Pick<Harness, "ownerDb">, days: number): Promise<void> {
  const week = weekOf(new Date(Date.now() - days * DAY));
  const [from, to] = [idBoundary(week), idBoundary(new Date(week.getTime() + WEEK_MS))];
  const name = week.toISOString().slice(0, 10).replaceAll("-", "");
  for (const log of LOGS) {
    await sql`select make_log_partition(${log}, ${`${log}_${name}`}, ${`for values from ('${from}') to ('${to}')`})
      where to_regclass(${`${log}_${name}`}) is null`.execute(db);
  }
  const aged = (id: string) => sql`overlay(${sql.id(id)}::text placing left(log_boundary(to_timestamp(
    (('x' || replace(left(${sql.id(id)}::text, 13), '-', ''))::bit(48)::bigint - ${days * DAY}::bigint) / 1000.0))::text, 13)
    from 1 for 13)::uuid`;
  const age = sql`${days} * interval '1 day'`;
  await sql`update outbox_event set id = ${aged("id")}`.execute(db);
  await sql`update outbox_pending set event_id = ${aged("event_id")}`.execute(db);
  await sql`update delivery set id = ${aged("id")}, event_id = ${aged("event_id")}, created_at = created_at - ${age},
    completed_at = completed_at - ${age}`.execute(db);
  await sql`update delivery_due set delivery_id = ${aged("delivery_id")}, event_id = ${aged("event_id")},
    created_at = created_at - ${age}`.execute(db);
  await sql`update delivery_attempt set delivery_id = ${aged("delivery_id")}, sent_at = sent_at - ${age}`.execute(db);
}

/** The partitions of the log, but for those of the rest. */
export async function weeksOf({ ownerDb }: Pick<Harness, "ownerDb">): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select part.relname as name from pg_inherits join pg_class part on part.oid = inhrelid
    where inhparent in ('delivery'::regclass, 'delivery_attempt'::regclass, 'outbox_event'::regclass)
      and part.relname !~ '_rest$' order by 1`.execute(ownerDb);
  return rows.map(({ name }) => name);
}

/** Passes until there is nothing to do. */
export async function keepAll(app: App): Promise<void> {
  while ((await keepLog(app)) > 0);
}

/** How many rows a table has, of all tenants. */
export async function countRows({ ownerDb }: Pick<Harness, "ownerDb">, table: string): Promise<number> {
  const { rows } = await sql<{ rows: number }>`
    select count(*)::integer as rows from ${sql.id(table)}`.execute(ownerDb);
  return rows[0]?.rows ?? 0;
}
