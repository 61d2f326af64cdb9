import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import {
  AttemptErrorKind,
  AttemptSchema,
  DeliverySchema,
  DeliveryState,
  DeliveryStateSchema,
} from "../../gen/usageflow/v1/webhook_pb.ts";
import { type ListDeliveriesRequest, ListDeliveriesResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { DeliveryAttempt as AttemptRow, Delivery as DeliveryRow } from "../db/tables.ts";
import { formatId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { pageOf, pageSize, pageStart } from "../rpc/page.ts";

// An event on its way to an endpoint:
//
//   fan-out ──▶ PENDING ──claim──▶ PENDING, leased ──2xx──▶ DELIVERED
//                  ▲                     │ │ │
//                  ├──lease ran out──────┘ │ └──the schedule is used up──▶ FAILED
//                  └──failed, later again──┘
//
//   PENDING, leased or not, ──the endpoint is deleted──▶ FAILED
//
// The lease's token is made by the claim and checked by what ends it: a worker that lost its lease changes nothing.

type Row = Selectable<DeliveryRow> & { event_type: string };

/** The delivery as callers see it. */
export function toDelivery(row: Row, attempts: readonly Selectable<AttemptRow>[] = []) {
  return create(DeliverySchema, {
    id: formatId("whd", row.id),
    endpointId: formatId("whe", row.endpoint_id),
    eventId: formatId("evt", row.event_id),
    eventType: row.event_type,
    sequence: row.sequence,
    state: DeliveryState[row.state as keyof typeof DeliveryState],
    attemptCount: row.attempt_count,
    createdAt: timestampFromDate(row.created_at),
    lastStatus: row.last_status,
    lastError: row.last_error,
    attempts: attempts.map(toAttempt),
    ...(row.completed_at
      ? { completedAt: timestampFromDate(row.completed_at) }
      : { nextAttemptAt: timestampFromDate(row.next_attempt_at) }),
  });
}

function toAttempt(row: Selectable<AttemptRow>) {
  return create(AttemptSchema, {
    number: row.number,
    sentAt: timestampFromDate(row.sent_at),
    duration: durationOf(row.duration_us),
    status: row.status,
    error: row.error,
    errorKind: AttemptErrorKind[(row.error_kind || "UNSPECIFIED") as keyof typeof AttemptErrorKind],
    responseBody: row.response_body,
    responseHeaders: row.response_headers as Record<string, string>,
    worker: row.worker,
    ...(row.resolve_us === null ? {} : { resolve: durationOf(row.resolve_us) }),
    ...(row.connect_us === null ? {} : { connect: durationOf(row.connect_us) }),
    ...(row.first_byte_us === null ? {} : { firstByte: durationOf(row.first_byte_us) }),
  });
}

function durationOf(us: bigint): Duration {
  return create(DurationSchema, { seconds: us / 1_000_000n, nanos: Number(us % 1_000_000n) * 1000 });
}

// No row has it: what an id that cannot be read finds.
const NO_ID = "00000000-0000-0000-0000-000000000000";

/** One delivery with its attempts, or not-found. */
export async function getDelivery(tx: Tx, tenantId: string, id: string) {
  const uuid = parseId("whd", id);
  const row = uuid ? await deliveries(tx, tenantId).where("delivery.id", "=", uuid).executeTakeFirst() : undefined;
  if (!row) throw notFound("delivery", id);
  const attempts = await tx
    .selectFrom("delivery_attempt")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("delivery_id", "=", row.id)
    .orderBy("number")
    .execute();
  return toDelivery(row, attempts);
}

/** Deliveries of the tenant, newest first. */
export function listDeliveries(app: App, tenantId: string, request: ListDeliveriesRequest) {
  const { endpointId, eventId, state } = request;
  const scope = { tenantId, list: "delivery" };
  const size = pageSize(request);
  const before = pageStart(app, scope, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await deliveries(tx, tenantId)
      .$if(endpointId !== "", (query) => query.where("endpoint_id", "=", parseId("whe", endpointId) ?? NO_ID))
      .$if(eventId !== "", (query) => query.where("event_id", "=", parseId("evt", eventId) ?? NO_ID))
      .$if(state !== DeliveryState.UNSPECIFIED, (query) => query.where("state", "=", stateName(state)))
      .$if(before !== undefined, (query) => query.where("delivery.id", "<", before as string))
      .orderBy("delivery.id", "desc")
      .limit(size + 1)
      .execute();
    const { rows, nextPageToken } = pageOf(app, scope, found, size, (row) => row.id);
    return create(ListDeliveriesResponseSchema, { deliveries: rows.map((row) => toDelivery(row)), nextPageToken });
  });
}

function deliveries(tx: Tx, tenantId: string) {
  return tx
    .selectFrom("delivery")
    .innerJoin("outbox_event as event", (join) =>
      join.onRef("event.tenant_id", "=", "delivery.tenant_id").onRef("event.id", "=", "delivery.event_id"),
    )
    .selectAll("delivery")
    .select("event.type as event_type")
    .where("delivery.tenant_id", "=", tenantId);
}

function stateName(state: DeliveryState): string {
  return (DeliveryStateSchema.value[state]?.name ?? "").replace("DELIVERY_STATE_", "");
}
