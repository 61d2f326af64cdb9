import { create } from "@bufbuild/protobuf";
import { InvoiceSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { App } from "../../server/app.ts";
import { inTenant } from "../../server/db/database.ts";
import { appendEvents } from "../../server/outbox/append-event.ts";
import type { EventFacts, EventType } from "../../server/outbox/event-type.ts";

export const OCCURRED_AT = "2015-06-01T01:00:00Z";

/** A type whose fact is an invoice. */
export type InvoiceEventType = { [T in EventType]: EventFacts[T] extends { invoice: unknown } ? T : never }[EventType];

/** Stages events of these types, in this order, as a verb does. Their invoices are told apart by customer: 0, 1, ... */
export function stageEvents(app: App, tenantId: string, types: readonly InvoiceEventType[]): Promise<void> {
  return stage(
    app,
    tenantId,
    types.map((type, index) => [type, String(index)]),
  );
}

/** Stages an event about each of these customers, in this order. An empty one: about no single customer. */
export function stageEventsOf(app: App, tenantId: string, customerIds: readonly string[]): Promise<void> {
  return stage(
    app,
    tenantId,
    customerIds.map((customerId) => ["invoice.finalized", customerId]),
  );
}

function stage(app: App, tenantId: string, events: (readonly [InvoiceEventType, string])[]): Promise<void> {
  return inTenant(app.db, tenantId, (tx) =>
    appendEvents(
      tx,
      tenantId,
      events.map(([type, customerId]) => ({
        type,
        occurredAt: new Date(OCCURRED_AT),
        facts: { invoice: create(InvoiceSchema, { customerId, totalMinor: 2n ** 60n }) },
      })),
    ),
  );
}

/** `count` times the same type. */
export function times(count: number, type: InvoiceEventType = "invoice.finalized"): InvoiceEventType[] {
  return Array.from({ length: count }, () => type);
}
