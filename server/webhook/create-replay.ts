import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type CreateReplayRequest, CreateReplayResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { leaveWork, type Tx } from "../db/database.ts";
import { newId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { listSpan } from "../rpc/list-span.ts";
import { stateName } from "./delivery.ts";
import { getEndpoint } from "./endpoint.ts";
import { typesOf } from "./event-filter.ts";
import { toReplay } from "./replay.ts";

// How many may wait to be sent at first; replay-deliveries.ts then goes by how quickly they are.
const BATCH_SIZE = 16;

/** Which deliveries a replay is about. */
interface Choice {
  endpointId: string;
  types: readonly string[];
  states: readonly string[];
  start: Date | null;
  end: Date;
}

/** Makes a replay of deliveries that there are, or only counts them. */
export function createReplay(app: App, caller: Caller, request: CreateReplayRequest) {
  const { tenantId } = caller;
  const types = typesOf(request.eventTypes);
  const span = listSpan(request);
  const asked = request.deliveryStates.length > 0 ? request.deliveryStates : [DeliveryState.FAILED];
  return change(app, caller, CreateReplayResponseSchema, async (tx) => {
    const endpoint = await getEndpoint(tx, tenantId, request.endpointId);
    const now = app.clock.now();
    const end = span.end && span.end < now ? span.end : now;
    const choice = { endpointId: endpoint.id, types, states: asked.map(stateName), start: span.start ?? null, end };
    const count = await countDeliveries(tx, tenantId, choice);
    if (request.dryRun) return create(CreateReplayResponseSchema, { count });
    const row = await tx
      .insertInto("replay")
      .values({
        tenant_id: tenantId,
        id: newId(),
        endpoint_id: endpoint.id,
        event_types: request.eventTypes,
        delivery_states: choice.states as string[],
        start_at: choice.start,
        end_at: end,
        state: "RUNNING",
        total_count: count,
        batch_size: BATCH_SIZE,
        created_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    leaveWork(tx, "replayDeliveries");
    return create(CreateReplayResponseSchema, { replay: toReplay(row), count });
  });
}

async function countDeliveries(tx: Tx, tenantId: string, choice: Choice): Promise<bigint> {
  // What failed has an index of its own.
  const [state, ...others] = choice.states;
  const failedOnly = state === "FAILED" && others.length === 0;
  const inState = failedOnly ? sql`failed` : sql`state = any(${choice.states}::text[])`;
  const { rows } = await sql<{ count: bigint }>`
    select count(*) as count from delivery
    where tenant_id = ${tenantId} and endpoint_id = ${choice.endpointId}
      and ${inState} and event_type = any(${choice.types}::text[])
      and created_at < ${choice.end} and (${choice.start}::timestamptz is null or created_at >= ${choice.start})
  `.execute(tx);
  return rows[0]?.count ?? 0n;
}
