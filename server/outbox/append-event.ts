import { create, toJsonString } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { cutByWeight } from "../cut-by-weight.ts";
import { leaveWork, type Tx } from "../db/database.ts";
import { inPieces } from "../give-way.ts";
import { newId } from "../id.ts";
import { type Trace, traceColumn } from "../observe/trace.ts";
import { traceOf } from "../observe/tx-trace.ts";
import type { EventFacts, EventType } from "./event-type.ts";

// Characters in one statement, about: what the driver writes at once, nobody else can work beside.
const TEXT_MAX = 500_000;

/** One event to stage. Without a span of its own it follows from what its transaction does. */
export type NewEvent = {
  [Type in EventType]: { type: Type; occurredAt: Date; facts: EventFacts[Type]; trace?: Trace | undefined };
}[EventType];

/**
 * Stages events in the caller's transaction, in order: they exist if, and only if, that transaction commits. Any number.
 */
export async function appendEvents(tx: Tx, tenantId: string, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  const ids = await storeEvents(tx, tenantId, events);
  await sql`
    insert into outbox_pending (tenant_id, event_id) select ${tenantId}, id from unnest(${ids}::uuid[]) as new (id)`.execute(
    tx,
  );
  leaveWork(tx, "dispatchEvents");
}

/** Stores events that are not dispatched, and answers their ids: whoever stores them tells those whom they concern. */
export async function storeEvents(tx: Tx, tenantId: string, events: readonly NewEvent[]): Promise<string[]> {
  const told = await inPieces(events, (event) => ({
    id: newId(),
    event,
    text: toJsonString(EventDataSchema, create(EventDataSchema, event.facts), { alwaysEmitImplicit: true }),
  }));
  for (const some of cutByWeight(told, TEXT_MAX, ({ text }) => text.length)) await insertEvents(tx, tenantId, some);
  return told.map(({ id }) => id);
}

/** Each column is one parameter. */
async function insertEvents(
  tx: Tx,
  tenantId: string,
  told: readonly { id: string; event: NewEvent; text: string }[],
): Promise<void> {
  await sql`
    insert into outbox_event (tenant_id, id, type, occurred_at, customer_id, data, trace)
    select ${tenantId}, new.* from unnest(
      ${told.map(({ id }) => id)}::uuid[],
      ${told.map(({ event }) => event.type)}::text[],
      ${told.map(({ event }) => event.occurredAt)}::timestamptz[],
      ${told.map(({ event }) => customerOf(event))}::text[],
      ${told.map(({ text }) => text)}::text[],
      ${told.map(({ event }) => traceColumn(event.trace ?? traceOf(tx)))}::bytea[]
    ) as new`.execute(tx);
}

/** Whom an event is about: its customer, or the customer of its fact. Null: no single one. */
function customerOf({ facts }: NewEvent): string | null {
  if ("customer" in facts) return facts.customer.id;
  const [fact] = Object.values(facts) as [object | undefined];
  return fact && "customerId" in fact && typeof fact.customerId === "string" ? fact.customerId || null : null;
}
