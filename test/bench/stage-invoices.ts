import { create } from "@bufbuild/protobuf";
import { InvoiceSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { App } from "../../server/app.ts";
import { inTenant } from "../../server/db/database.ts";
import { appendEvents, type NewEvent, storeEvents } from "../../server/outbox/append-event.ts";

/** Commits an event of each customer's invoice, in one transaction. `onStaged` is called when only the commit is left. */
export function stageInvoices(
  app: App,
  tenantId: string,
  customers: readonly string[],
  onStaged = () => {},
): Promise<void> {
  return inTenant(app.db, tenantId, async (tx) => {
    await appendEvents(tx, tenantId, eventsOf(app, customers));
    onStaged();
  });
}

/** Commits events of which no loop knows. */
export async function storeInvoices(app: App, tenantId: string, customers: readonly string[]): Promise<void> {
  await inTenant(app.db, tenantId, (tx) => storeEvents(tx, tenantId, eventsOf(app, customers)));
}

function eventsOf(app: App, customers: readonly string[]): NewEvent[] {
  const occurredAt = app.clock.now();
  return customers.map((customerId) => ({
    type: "invoice.finalized",
    occurredAt,
    facts: { invoice: create(InvoiceSchema, { customerId, currency: "USD", totalMinor: 4_200n }) },
  }));
}
