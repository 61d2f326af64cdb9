import { create, fromJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import { EventDataSchema, EventSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { type ListEventsRequest, ListEventsResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { OutboxEvent as EventRow } from "../db/tables.ts";
import { formatId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { listSpan } from "../rpc/list-span.ts";
import { openPage } from "../rpc/page.ts";
import { typesOf } from "./event-filter.ts";

type Listed = Omit<Selectable<EventRow>, "data" | "tenant_id">;

/** The event as callers see it, without its facts. */
function toEvent(row: Listed) {
  return create(EventSchema, {
    id: formatId("evt", row.id),
    type: row.type,
    occurredAt: timestampFromDate(row.occurred_at),
    customerId: row.customer_id ?? "",
  });
}

/** One event, or not-found. */
export async function getEventRow(tx: Tx, tenantId: string, id: string): Promise<Selectable<EventRow>> {
  const uuid = parseId("evt", id);
  const row = uuid
    ? await tx
        .selectFrom("outbox_event")
        .selectAll()
        .where("tenant_id", "=", tenantId)
        .where("id", "=", uuid)
        .executeTakeFirst()
    : undefined;
  if (!row) throw notFound("event", id);
  return row;
}

/** One event with its facts, or not-found. */
export async function getEvent(tx: Tx, tenantId: string, id: string) {
  const row = await getEventRow(tx, tenantId, id);
  // What a later version staged may hold more than this one knows.
  return { ...toEvent(row), data: fromJsonString(EventDataSchema, row.data, { ignoreUnknownFields: true }) };
}

/** Events of the tenant, newest first by the time at which they happened. */
export function listEvents(app: App, tenantId: string, request: ListEventsRequest) {
  const page = openPage(app, { tenantId, list: "event" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await findEvents(tx, tenantId, request, page);
    const { rows, nextPageToken } = page.cut(found, (row) => `${row.occurred_at.toISOString()} ${row.id}`);
    return create(ListEventsResponseSchema, { events: rows.map(toEvent), nextPageToken });
  });
}

/**
 * The newest events that a request asks for, after a place: a time and an id. They are the newest of each type, merged: one
 * index serves all lists, another those of a customer.
 */
export async function findEvents(
  tx: Tx,
  tenantId: string,
  request: ListEventsRequest,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<Listed[]> {
  const { start, end } = listSpan(request);
  const [time, id] = after?.split(" ") ?? [];
  const conditions = [
    sql`tenant_id = ${tenantId} and type = types.type`,
    ...(request.customerId ? [sql`customer_id = ${request.customerId}`] : []),
    ...(start ? [sql`occurred_at >= ${start}`] : []),
    ...(end ? [sql`occurred_at < ${end}`] : []),
    ...(time ? [sql`(occurred_at, id) < (${time}::timestamptz, ${id}::uuid)`] : []),
  ];
  const newest = sql`order by occurred_at desc, id desc limit ${limit}`;
  const { rows } = await sql<Listed>`
    select event.id, event.type, event.occurred_at, event.customer_id
    from unnest(${typesOf(request.eventTypes)}::text[]) as types (type)
    cross join lateral (select * from outbox_event where ${sql.join(conditions, sql` and `)} ${newest}) as event
    ${newest}`.execute(tx);
  return rows;
}
