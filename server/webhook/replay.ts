import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
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

/**
 * How many deliveries that a replay handed over were not sent, though they are due at `now` or held by one that is. What is
 * held by one that failed and is tried later does not count: it would hold up the replay for days.
 */
export async function waitingOf(tx: Tx, { tenant_id, id }: ReplayRow, now: Date): Promise<bigint> {
  const { rows } = await sql<{ waiting: bigint }>`
    select coalesce(sum(case when due.lane is null then 1 else (
      select count(*) from delivery_due held
      where held.tenant_id = due.tenant_id and held.endpoint_id = due.endpoint_id and held.lane = due.lane
        and held.replay_id = due.replay_id
    ) end), 0)::bigint as waiting
    from delivery_due due
    where due.tenant_id = ${tenant_id} and due.replay_id = ${id} and due.next_attempt_at <= ${now}`.execute(tx);
  return rows[0]?.waiting ?? 0n;
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
