import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { DeliveryState, ReplaySchema, ReplayState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type ListReplaysRequest, ListReplaysResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Replay as ReplayTable } from "../db/tables.ts";
import { formatId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";

// Deliveries that are sent again, many at a time:
//
//   create ──▶ RUNNING ──all handed over──▶ COMPLETED
//                 └──by hand, or the endpoint is deleted──▶ CANCELLED
//
// The row has the place that it has come to, and changes in the transaction that hands deliveries over: whatever stops in
// between, none is left out and none handed over twice.

/** A row of `replay`. */
export type ReplayRow = Selectable<ReplayTable>;

/** The replay as callers see it. */
export function toReplay(row: ReplayRow, waitingCount = 0n) {
  return create(ReplaySchema, {
    id: formatId("rpl", row.id),
    endpointId: formatId("whe", row.endpoint_id),
    eventTypes: row.event_types,
    deliveryStates: row.delivery_states.map((state) => DeliveryState[state as keyof typeof DeliveryState]),
    end: timestampFromDate(row.end_at),
    state: ReplayState[row.state as keyof typeof ReplayState],
    totalCount: row.total_count,
    doneCount: row.done_count,
    waitingCount,
    createdAt: timestampFromDate(row.created_at),
    ...(row.start_at ? { start: timestampFromDate(row.start_at) } : {}),
    ...(row.completed_at ? { completedAt: timestampFromDate(row.completed_at) } : {}),
  });
}

/** One replay, or not-found. */
export async function getReplayRow(tx: Tx, tenantId: string, id: string): Promise<ReplayRow> {
  const uuid = parseId("rpl", id);
  const row = uuid
    ? await tx
        .selectFrom("replay")
        .selectAll()
        .where("tenant_id", "=", tenantId)
        .where("id", "=", uuid)
        .executeTakeFirst()
    : undefined;
  if (!row) throw notFound("replay", id);
  return row;
}

/** How many deliveries that a replay handed over are due at `now` and were not sent. */
export async function waitingOf(tx: Tx, { tenant_id, id }: ReplayRow, now: Date): Promise<bigint> {
  const { waiting } = await tx
    .selectFrom("delivery_due")
    .select((expression) => expression.fn.countAll<bigint>().as("waiting"))
    .where("tenant_id", "=", tenant_id)
    .where("replay_id", "=", id)
    .where("next_attempt_at", "<=", now)
    .executeTakeFirstOrThrow();
  return waiting;
}

/** Replays of the tenant, newest first. */
export function listReplays(app: App, tenantId: string, request: ListReplaysRequest) {
  const page = openPage(app, { tenantId, list: "replay" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await tx
      .selectFrom("replay")
      .selectAll()
      .where("tenant_id", "=", tenantId)
      .$if(page.after !== undefined, (query) => query.where("id", "<", page.after as string))
      .orderBy("id", "desc")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListReplaysResponseSchema, { replays: rows.map((row) => toReplay(row)), nextPageToken });
  });
}
