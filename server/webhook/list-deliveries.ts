import { create } from "@bufbuild/protobuf";
import { type RawBuilder, sql } from "kysely";
import { DeliveryState, StatusClass } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type ListDeliveriesRequest, ListDeliveriesResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { NIL_ID, parseId } from "../id.ts";
import { type ListSpan, listSpan } from "../rpc/list-span.ts";
import { openPage } from "../rpc/page.ts";
import { type DeliveryRow, heldBy, nextAttemptAt, stateName, toDelivery } from "./delivery.ts";
import { typesOf } from "./event-filter.ts";

/** Deliveries of the tenant, newest first, or oldest first. */
export function listDeliveries(app: App, tenantId: string, request: ListDeliveriesRequest) {
  const page = openPage(app, { tenantId, list: request.oldestFirst ? "delivery_oldest" : "delivery" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await findDeliveries(tx, tenantId, request, page);
    const { rows, nextPageToken } = page.cut(found, placeOf);
    return create(ListDeliveriesResponseSchema, { deliveries: rows.map((row) => toDelivery(row)), nextPageToken });
  });
}

/** A delivery's place in lists. */
export function placeOf(row: DeliveryRow): string {
  return `${row.created_at.toISOString()} ${row.id}`;
}

/** The first deliveries that a request asks for, after a place: a time and an id. */
export async function findDeliveries(
  tx: Tx,
  tenantId: string,
  request: ListDeliveriesRequest,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<DeliveryRow[]> {
  const types = typesOf(request.eventTypes);
  const [time, id] = after?.split(" ") ?? [];
  const [direction, beyond] = request.oldestFirst ? [sql`asc`, sql`>`] : [sql`desc`, sql`<`];
  const conditions = {
    ofBoth: [
      sql`tenant_id = ${tenantId}`,
      ...placeFilters(request, listSpan(request)),
      ...(time ? [sql`(created_at, id) ${beyond} (${time}::timestamptz, ${id}::uuid)`] : []),
    ],
    ofDelivery: filters(request),
  };
  const first: First = (time, id) => sql`order by ${time} ${direction}, ${id} ${direction} limit ${limit}`;
  const { rows } = await sql<DeliveryRow>`
    select listed.*, waiting.next_attempt_at, waiting.held_by
    from (${query(request, types, conditions, first)}) as listed
    left join lateral (
      select ${nextAttemptAt} as next_attempt_at, ${heldBy} as held_by from delivery_due due
      where due.tenant_id = listed.tenant_id and due.delivery_id = listed.id
      limit 1 -- by key, one after the other: the queue is read for no more
    ) as waiting on true
    order by listed.created_at ${direction}, listed.id ${direction}`.execute(tx);
  return rows;
}

/** The order of a list and its limit, by columns for time and id. */
type First = (time: RawBuilder<unknown>, id: RawBuilder<unknown>) => RawBuilder<unknown>;

/** Conditions of a list. */
interface Conditions {
  /** On what a delivery has in the queue too. */
  ofBoth: readonly RawBuilder<unknown>[];
  ofDelivery: readonly RawBuilder<unknown>[];
}

/**
 * Every filter has an index that is in the order of the list, so that a page costs what it holds and what other filters
 * throw away of it. All of a tenant, or all of some types, are the first of each type, merged.
 */
function query(
  request: ListDeliveriesRequest,
  types: readonly string[],
  { ofBoth, ofDelivery }: Conditions,
  first: First,
): RawBuilder<unknown> {
  const page = first(sql`created_at`, sql`id`);
  const where = sql.join([...ofBoth, ...ofDelivery], sql` and `);
  if (isNarrow(request)) {
    const ofTypes = request.eventTypes.length > 0 ? sql`and event_type = any(${types}::text[])` : sql``;
    return isWaiting(request)
      ? ofQueue(sql.join(ofBoth, sql` and `), sql`${where} ${ofTypes}`, first)
      : sql`select * from delivery where ${where} ${ofTypes} ${page}`;
  }
  return sql`
    select found.* from unnest(${types}::text[]) as types (type)
    cross join lateral (select * from delivery where ${where} and event_type = types.type ${page}) as found
    ${page}`;
}

/** The queue has what waits in the order of the list: of each, its delivery is looked up by key, in its week. */
function ofQueue(inQueue: RawBuilder<unknown>, where: RawBuilder<unknown>, first: First) {
  return sql`
    select waiting.* from (
      select * from (select tenant_id, delivery_id as id, endpoint_id, created_at from delivery_due) as queue
      where ${inQueue}
    ) as due (due_tenant_id, due_id, due_endpoint_id, due_created_at)
    cross join lateral (
      select * from delivery where tenant_id = due_tenant_id and id = due_id and ${where} offset 0
    ) as waiting
    ${first(sql`due_created_at`, sql`due_id`)}`;
}

/** Whether it is about what waits, and nothing with fewer deliveries to look through. */
function isWaiting({ eventId, customerId, state }: ListDeliveriesRequest): boolean {
  return state === DeliveryState.PENDING && eventId === "" && customerId === "";
}

/** Whether a filter other than type and time has an index of its own. */
function isNarrow({ endpointId, eventId, customerId, state, statusClass }: ListDeliveriesRequest): boolean {
  const given = endpointId !== "" || eventId !== "" || customerId !== "";
  const undelivered = state !== DeliveryState.UNSPECIFIED && state !== DeliveryState.DELIVERED;
  return given || undelivered || CLASSES[statusClass] !== undefined;
}

function placeFilters({ endpointId }: ListDeliveriesRequest, span: ListSpan): RawBuilder<unknown>[] {
  return [
    ...(endpointId ? [sql`endpoint_id = ${parseId("whe", endpointId) ?? NIL_ID}`] : []),
    ...(span.start ? [sql`created_at >= ${span.start}`] : []),
    ...(span.end ? [sql`created_at < ${span.end}`] : []),
  ];
}

function filters({ eventId, customerId, state, statusClass }: ListDeliveriesRequest): RawBuilder<unknown>[] {
  return [
    ...(eventId ? [sql`event_id = ${parseId("evt", eventId) ?? NIL_ID}`] : []),
    ...(customerId ? [sql`customer_id = ${customerId}`] : []),
    ...ofState(state),
    ...ofStatusClass(statusClass),
  ];
}

// Written out, and no parameter: the planner must see that a partial index has all of them.
function ofState(state: DeliveryState): RawBuilder<unknown>[] {
  if (state === DeliveryState.UNSPECIFIED) return [];
  if (state === DeliveryState.FAILED) return [sql`failed`];
  if (state === DeliveryState.SKIPPED) return [sql`skipped`];
  return [sql`state = ${sql.lit(stateName(state))}`];
}

// The class as the column `refused_class` has it.
const CLASSES: Partial<Record<StatusClass, number>> = {
  [StatusClass.NONE]: 0,
  [StatusClass.REDIRECT]: 3,
  [StatusClass.CLIENT_ERROR]: 4,
  [StatusClass.SERVER_ERROR]: 5,
};

function ofStatusClass(statusClass: StatusClass): RawBuilder<unknown>[] {
  if (statusClass === StatusClass.UNSPECIFIED) return [];
  if (statusClass === StatusClass.SUCCESS) return [sql`last_status / 100 = 2`];
  return [sql`refused_class = ${CLASSES[statusClass] ?? -1}`];
}
