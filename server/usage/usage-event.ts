import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type UsageEvent, UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { type ListUsageEventsRequest, ListUsageEventsResponseSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { invalid, notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { fromMicroseconds, toMicroseconds } from "./usage-time.ts";
import { toUsageVoid, voidsOf } from "./usage-void.ts";

/** What is told of a row of `usage_event`. */
export interface UsageEventRow {
  idempotency_key: string;
  metric: string;
  customer_id: string;
  amount: string;
  /** Microseconds after 1970. */
  occurred_us: bigint;
  properties: Record<string, string>;
  /** The fold that counted it; null while it waits for one. */
  fold_number: bigint | null;
}

/** The event as callers see it. */
export function toUsageEvent(row: UsageEventRow): UsageEvent {
  return create(UsageEventSchema, {
    metric: row.metric,
    amount: row.amount,
    customerId: row.customer_id,
    idempotencyKey: row.idempotency_key,
    occurredAt: fromMicroseconds(row.occurred_us),
    properties: row.properties,
  });
}

/** What is read of one. */
export const eventColumns = sql`idempotency_key, metric, customer_id, trim_scale(amount)::text as amount,
  (extract(epoch from occurred_at) * 1000000)::bigint as occurred_us, properties`;

/** One event by its idempotency key, or not-found. */
export async function getUsageEvent(tx: Tx, tenantId: string, key: string): Promise<UsageEventRow> {
  const { rows } = await sql<UsageEventRow>`
    select ${eventColumns}, (
      select number from usage_fold where tenant_id = ${tenantId} and batch_id = usage_event.batch_id
    ) as fold_number
    from usage_event where tenant_id = ${tenantId} and idempotency_key = ${key}`.execute(tx);
  const [row] = rows;
  if (!row) throw notFound("usage event", key);
  return row;
}

/** Refuses a span that ends before it begins. */
export function checkEventSpan({ start, end }: Pick<ListUsageEventsRequest, "start" | "end">): void {
  if (start && end && toMicroseconds(end) < toMicroseconds(start)) throw invalid("end", "must not be before start");
}

/** Events of the tenant, newest first. */
export function listUsageEvents(app: App, tenantId: string, request: ListUsageEventsRequest) {
  checkEventSpan(request);
  const page = openPage(app, { tenantId, list: "usage_event" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await newestEvents(tx, tenantId, request, page);
    const { rows, nextPageToken } = page.cut(found, placeOf);
    const keys = rows.map((row) => row.idempotency_key);
    const voids = (await voidsOf(tx, tenantId, keys)).map(toUsageVoid);
    return create(ListUsageEventsResponseSchema, { usageEvents: rows.map(toUsageEvent), nextPageToken, voids });
  });
}

/** An event's place among those of its metric: its time, and its key where times are equal. The time has no space in it. */
export function placeOf(row: UsageEventRow): string {
  return `${toMicroseconds(fromMicroseconds(row.occurred_us))} ${row.idempotency_key}`;
}

/**
 * The first events of each metric, merged. So one index by metric and time serves all lists, and one by customer, metric
 * and time all those of a customer: a page costs what it holds, whatever is stored.
 */
async function newestEvents(
  tx: Tx,
  tenantId: string,
  filter: ListUsageEventsRequest,
  page: { after: string | undefined; limit: number },
): Promise<UsageEventRow[]> {
  const [time, ...key] = page.after?.split(" ") ?? [];
  const conditions = [
    sql`tenant_id = ${tenantId} and metric = metric_key`,
    ...(filter.customerId ? [sql`customer_id = ${filter.customerId}`] : []),
    ...(filter.idempotencyKey ? [sql`idempotency_key = ${filter.idempotencyKey}`] : []),
    ...(filter.start ? [sql`occurred_at >= ${toMicroseconds(filter.start)}`] : []),
    ...(filter.end ? [sql`occurred_at < ${toMicroseconds(filter.end)}`] : []),
    ...(time ? [sql`(occurred_at, idempotency_key) < (${time}::timestamptz, ${key.join(" ")})`] : []),
  ];
  const newest = sql`order by occurred_at desc, idempotency_key desc limit ${page.limit}`;
  const { rows } = await sql<UsageEventRow>`
    select ${eventColumns}
    from (
      select key as metric_key from metric
      where tenant_id = ${tenantId} ${filter.metric ? sql`and key = ${filter.metric}` : sql``}
    ) as metrics
    cross join lateral (select * from usage_event where ${sql.join(conditions, sql` and `)} ${newest}) as event
    ${newest}`.execute(tx);
  return rows;
}
