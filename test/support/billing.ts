import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { catalog } from "./catalog.ts";
import { type Harness, listAllInvoices, setup } from "./harness.ts";

/** A harness with the first journey's catalog. The tenant's clock stands at 2015-05-21T00:00:00Z. */
export async function priced(): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  return harness;
}

/** Reports calls of a customer. */
export async function use({ clients }: Harness, customerId: string, amount: string, at: string): Promise<void> {
  const occurredAt = timestampFromDate(new Date(at));
  await clients.usage.trackUsage({ events: [{ metric: "API_CALL", amount, customerId, occurredAt }] });
}

/** Bills May to customers with 482 calls each, in order: INV-000001, INV-000002 and so on. */
export async function billed(customers: readonly string[] = ["ann"]): Promise<Harness & { invoices: Invoice[] }> {
  const harness = await priced();
  for (const customer of customers) await use(harness, customer, "482", "2015-05-20T00:00:00Z");
  await harness.advanceTo("2015-06-01T01:00:00Z");
  return { ...harness, invoices: await listAllInvoices(harness.clients) };
}
