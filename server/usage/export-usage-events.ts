import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import {
  type ExportUsageEventsRequest,
  type ExportUsageEventsResponse,
  ExportUsageEventsResponseSchema,
} from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { exportRows } from "../rpc/export-rows.ts";
import { checkEventSpan, eventColumns, placeOf, toUsageEvent, type UsageEventRow } from "./usage-event.ts";
import { toMicroseconds } from "./usage-time.ts";
import { toUsageVoid, type UsageVoidRow, voidsOf } from "./usage-void.ts";

type ExportedEvent = UsageEventRow & { taken_back: UsageVoidRow | undefined };

/** Streams the events of the tenant. */
export function exportUsageEvents(
  app: App,
  caller: Caller,
  request: ExportUsageEventsRequest,
  ended: AbortSignal,
): AsyncIterable<ExportUsageEventsResponse> {
  checkEventSpan(request);
  const rows = {
    list: "usage_event",
    read: (tx: Tx, after: string | undefined, limit: number) => readEvents(tx, caller.tenantId, request, after, limit),
    placeOf: (row: ExportedEvent) => `${row.metric} ${placeOf(row)}`,
    toAnswer: (events: readonly ExportedEvent[], resumeToken: string) =>
      create(ExportUsageEventsResponseSchema, {
        usageEvents: events.map(toUsageEvent),
        voids: events.flatMap(({ taken_back }) => (taken_back ? [toUsageVoid(taken_back)] : [])),
        resumeToken,
      }),
  };
  return exportRows(app, caller, request, rows, ended);
}

async function readEvents(
  tx: Tx,
  tenantId: string,
  span: ExportUsageEventsRequest,
  after: string | undefined,
  limit: number,
): Promise<ExportedEvent[]> {
  const [metric = "", time, ...key] = after?.split(" ") ?? [];
  const rows: UsageEventRow[] = [];
  for (const one of await metricsFrom(tx, tenantId, metric)) {
    const place = one === metric && time ? { time, key: key.join(" ") } : undefined;
    rows.push(...(await eventsOf(tx, { tenantId, metric: one, span, place, limit: limit - rows.length })));
    if (rows.length === limit) break;
  }
  const keys = rows.map((row) => row.idempotency_key);
  const voids = new Map((await voidsOf(tx, tenantId, keys)).map((row) => [row.idempotency_key, row]));
  return rows.map((row) => ({ ...row, taken_back: voids.get(row.idempotency_key) }));
}

async function metricsFrom(tx: Tx, tenantId: string, first: string): Promise<string[]> {
  const metrics = tx.selectFrom("metric").select("key").where("tenant_id", "=", tenantId).where("key", ">=", first);
  return (await metrics.orderBy("key").execute()).map((row) => row.key);
}

/** The next events of one metric, in the order of its index: a page costs what it holds, whatever is stored. */
async function eventsOf(
  tx: Tx,
  {
    tenantId,
    metric,
    span,
    place,
    limit,
  }: {
    tenantId: string;
    metric: string;
    span: ExportUsageEventsRequest;
    place: { time: string; key: string } | undefined;
    limit: number;
  },
): Promise<UsageEventRow[]> {
  const conditions = [
    sql`tenant_id = ${tenantId} and metric = ${metric}`,
    ...(span.start ? [sql`occurred_at >= ${toMicroseconds(span.start)}`] : []),
    ...(span.end ? [sql`occurred_at < ${toMicroseconds(span.end)}`] : []),
    ...(place ? [sql`(occurred_at, idempotency_key) > (${place.time}::timestamptz, ${place.key})`] : []),
  ];
  const { rows } = await sql<UsageEventRow>`
    select ${eventColumns} from usage_event where ${sql.join(conditions, sql` and `)}
    order by occurred_at, idempotency_key limit ${limit}`.execute(tx);
  return rows;
}
