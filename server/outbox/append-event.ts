import { create, toJsonString } from "@bufbuild/protobuf";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import type { Tx } from "../db/database.ts";
import { newId } from "../id.ts";
import type { EventFacts, EventType } from "./event-type.ts";

/** One event to stage. */
export type NewEvent = {
  [Type in EventType]: { type: Type; occurredAt: Date; facts: EventFacts[Type] };
}[EventType];

/** Stages events in the caller's transaction, in order: they exist if, and only if, that transaction commits. */
export async function appendEvents(tx: Tx, tenantId: string, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((event) => ({
    tenant_id: tenantId,
    id: newId(),
    type: event.type,
    occurred_at: event.occurredAt,
    data: toJsonString(EventDataSchema, create(EventDataSchema, event.facts), { alwaysEmitImplicit: true }),
  }));
  await tx.insertInto("outbox_event").values(rows).execute();
  await tx
    .insertInto("outbox_pending")
    .values(rows.map((row) => ({ tenant_id: tenantId, event_id: row.id })))
    .execute();
}
