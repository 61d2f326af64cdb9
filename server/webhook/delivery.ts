import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import {
  AttemptErrorKind,
  AttemptSchema,
  DeliverySchema,
  DeliveryState,
  DeliveryStateSchema,
} from "../../gen/usageflow/v1/webhook_pb.ts";
import type { Tx } from "../db/database.ts";
import type { DeliveryAttempt as AttemptRow, Delivery as DeliveryTable } from "../db/tables.ts";
import { formatId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { firstOf, HELD } from "./lane.ts";

// An event on its way to an endpoint:
//
//   fan-out ──▶ PENDING ──claim──▶ PENDING, leased ──2xx──▶ DELIVERED
//                  ▲                     │ │ │
//                  ├──lease ran out──────┘ │ └──the schedule is used up──▶ FAILED
//                  └──failed, later again──┘
//
//   PENDING ──by hand──▶ SKIPPED
//   DELIVERED, FAILED or SKIPPED ──sent again by hand or a replay──▶ PENDING, its schedule begun anew
//   PENDING, leased or not, ──the endpoint is deleted──▶ FAILED
//
// A delivery that is PENDING has a row in `delivery_due`, and no other has: whatever changes the state writes both. The
// lease is there, its token made by the claim and checked by what ends it: a worker that lost its lease changes nothing.

/** A row of `delivery`, when it is sent next, and what holds it. Both null: it is over. */
export type DeliveryRow = Selectable<DeliveryTable> & { next_attempt_at: Date | null; held_by: string | null };

/** What `due` adds to a row of `delivery`. What was asked for by hand is due since it was made. */
export const nextAttemptAt = sql<Date | null>`
  case when due.next_attempt_at < ${HELD} then greatest(due.next_attempt_at, due.created_at) end`;
export const heldBy = sql<string | null>`
  case when due.next_attempt_at = ${HELD} then (${firstOf(sql`due.tenant_id`, sql`due`)}) end`;

/** The delivery as callers see it. */
export function toDelivery(row: DeliveryRow, attempts: readonly Selectable<AttemptRow>[] = []) {
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
    customerId: row.customer_id ?? "",
    attempts: attempts.map(toAttempt),
    heldBy: row.held_by ? formatId("whd", row.held_by) : "",
    ...(row.completed_at ? { completedAt: timestampFromDate(row.completed_at) } : {}),
    ...(row.next_attempt_at ? { nextAttemptAt: timestampFromDate(row.next_attempt_at) } : {}),
  });
}

/** The attempt as callers see it. */
export function toAttempt(row: Selectable<AttemptRow>) {
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

/** A span of microseconds. */
export function durationOf(us: bigint): Duration {
  return create(DurationSchema, { seconds: us / 1_000_000n, nanos: Number(us % 1_000_000n) * 1000 });
}

/** One delivery, or not-found. */
export async function getDeliveryRow(tx: Tx, tenantId: string, id: string): Promise<DeliveryRow> {
  const uuid = parseId("whd", id);
  const [row] = uuid ? await readDeliveries(tx, tenantId, [uuid]) : [];
  if (!row) throw notFound("delivery", id);
  return row;
}

/** Deliveries by id, in the order of ids. */
export function readDeliveries(tx: Tx, tenantId: string, ids: readonly string[]): Promise<DeliveryRow[]> {
  return tx
    .selectFrom("delivery")
    .leftJoin("delivery_due as due", (join) =>
      join.onRef("due.tenant_id", "=", "delivery.tenant_id").onRef("due.delivery_id", "=", "delivery.id"),
    )
    .selectAll("delivery")
    .select([nextAttemptAt.as("next_attempt_at"), heldBy.as("held_by")])
    .where("delivery.tenant_id", "=", tenantId)
    .where("delivery.id", "in", ids)
    .orderBy("delivery.id")
    .execute();
}

/** One delivery with its attempts, or not-found. */
export async function getDelivery(tx: Tx, tenantId: string, id: string) {
  const row = await getDeliveryRow(tx, tenantId, id);
  const attempts = await tx
    .selectFrom("delivery_attempt")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("delivery_id", "=", row.id)
    .where("number", "<=", row.attempt_count) // one that came after the row was read does not belong to what it says
    .orderBy("number")
    .execute();
  return toDelivery(row, attempts);
}

/** A state as rows have it. */
export function stateName(state: DeliveryState): string {
  return (DeliveryStateSchema.value[state]?.name ?? "").replace("DELIVERY_STATE_", "");
}
