import { fromJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Db } from "../../server/db/database.ts";
import { inTenant } from "../../server/db/database.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour.

async function priced(): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  return harness;
}

async function use({ clients }: Harness, customerId: string, amount: string, at: string): Promise<void> {
  const occurredAt = timestampFromDate(new Date(at));
  await clients.usage.trackUsage({ events: [{ metric: "API_CALL", amount, customerId, occurredAt }] });
}

function staged({ ownerDb }: Harness) {
  return ownerDb.selectFrom("outbox_event").select(["type", "occurred_at", "data"]).orderBy("id").execute();
}

describe("finalizeInvoices", () => {
  test("counts usage of the period that arrives while the grace period runs, and none after it", async () => {
    const harness = await priced();
    await use(harness, "ann", "100", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-06-01T00:00:00Z");
    const [first] = await listAllInvoices(harness.clients);
    expect(first).toMatchObject({ state: InvoiceState.DRAFT, number: "", totalMinor: 2450n });
    await harness.advanceTo("2015-06-01T00:59:00Z");
    await use(harness, "ann", "382", "2015-05-31T23:59:59Z");
    await use(harness, "ann", "1000", "2015-06-01T00:00:00Z"); // of the period after
    await harness.drain();
    const [draft] = await listAllInvoices(harness.clients);
    expect(draft).toMatchObject({ id: first?.id, state: InvoiceState.DRAFT, totalMinor: 3722n });
    await harness.advanceTo("2015-06-01T01:00:00Z");
    await use(harness, "ann", "5000", "2015-05-31T23:59:58Z");
    await harness.drain();
    const [final] = await listAllInvoices(harness.clients);
    expect(final).toMatchObject({
      id: first?.id,
      state: InvoiceState.FINALIZED,
      number: "INV-000001",
      totalMinor: 3722n,
      lines: [
        { priceKey: "base", metric: "", quantity: "1", amountMinor: 2000n, description: "Platform fee" },
        {
          priceKey: "calls",
          metric: "API_CALL",
          quantity: "482",
          amountMinor: 1722n,
          exactAmount: "17.2206",
          description: "API calls: 482 units",
          steps: [
            { quantity: "10", unitAmount: "0", amount: "0", description: "tier up to 10" },
            { quantity: "90", unitAmount: "0.05", amount: "4.5", description: "tier up to 100" },
            { quantity: "382", unitAmount: "0.0333", amount: "12.7206", description: "tier above 100" },
          ],
        },
        { priceKey: "egress", amountMinor: 0n, description: "Egress: 0 packages of 1000000 byte" },
      ],
    });
  });

  test("stages invoice.created and invoice.finalized with the invoice as it is answered at that moment", async () => {
    const harness = await priced();
    await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-06-01T00:00:00Z");
    const [draft] = await listAllInvoices(harness.clients);
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const [final] = await listAllInvoices(harness.clients);
    const events = (await staged(harness)).filter(({ type }) => type.startsWith("invoice."));
    expect(events.map(({ type, occurred_at }) => [type, occurred_at.toISOString()])).toEqual([
      ["invoice.created", "2015-06-01T00:00:00.000Z"],
      ["invoice.finalized", "2015-06-01T01:00:00.000Z"],
    ]);
    expect(events.map(({ data }) => fromJsonString(EventDataSchema, data).invoice)).toEqual([draft, final]);
  });

  test("remembers the last fold of usage that it counts", async () => {
    const harness = await priced();
    await use(harness, "ann", "1", "2015-05-20T00:00:00Z");
    await harness.drain();
    await use(harness, "ann", "1", "2015-05-20T00:00:01Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    await use(harness, "ann", "1", "2015-06-01T00:59:00Z");
    await harness.drain();
    const documents = await harness.ownerDb.selectFrom("invoice_document").select("usage_number").execute();
    expect(documents.map((document) => Number(document.usage_number))).toEqual([2]);
  });

  test("numbers invoices of each tenant from 1, in the order in which they were due, over the months", async () => {
    const harness = await priced();
    const other = await harness.addOrganization("Other");
    const clients = harness.clientsFor(other.testKey);
    await clients.pricing.pushCatalog({ catalog });
    await clients.pricing.startSubscription({ customerId: "zoe", plan: "pro" });
    for (const customerId of ["cat", "ann", "bob"]) await use(harness, customerId, "1", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-07-01T01:00:00Z");
    await clients.tenant.advanceClock({
      destination: { case: "to", value: timestampFromDate(new Date("2015-06-01T01:00:00Z")) },
    });
    await harness.drain();
    const numbers = async (of: typeof clients) =>
      (await listAllInvoices(of)).map(({ customerId, number }) => `${customerId} ${number}`);
    expect(await numbers(harness.clients)).toEqual([
      "ann INV-000001",
      "bob INV-000002",
      "cat INV-000003",
      "ann INV-000004",
      "bob INV-000005",
      "cat INV-000006",
    ]);
    expect(await numbers(clients)).toEqual(["zoe INV-000001"]);
  });

  test("bills a mistake of twenty digits as far as a line goes, and everybody else as ever", async () => {
    const harness = await priced();
    await use(harness, "ann", "99999999999999999999", "2015-05-20T00:00:00Z");
    await use(harness, "bob", "482", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const invoices = await listAllInvoices(harness.clients);
    expect(invoices.map(({ totalMinor }) => totalMinor)).toEqual([10_000_000_000_002_000n, 3722n]);
  });
});

describe("a finalized invoice", () => {
  test("can be changed or deleted neither by the application nor by a worker", async () => {
    const harness = await priced();
    await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const statements = [
      "update invoice_document set total_minor = 0",
      "delete from invoice_document",
      "update invoice_line set amount_minor = 0",
      "delete from invoice_line",
      "update invoice set period_end = period_end + interval '1 day'",
      "delete from invoice",
    ];
    const attempt = (db: Db, statement: string) =>
      inTenant(db, harness.tenant.testId, (tx) => sql.raw(statement).execute(tx)).then(
        () => "done",
        (error: unknown) => String(error),
      );
    for (const db of [harness.app.db, harness.app.workerDb]) {
      for (const statement of statements) expect(await attempt(db, statement)).toContain("permission denied");
    }
    const [invoice] = await listAllInvoices(harness.clients);
    expect(invoice).toMatchObject({ number: "INV-000001", totalMinor: 3722n });
  });

  test("stays as it is when its metric is renamed", async () => {
    const harness = await priced();
    await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const before = await listAllInvoices(harness.clients);
    const metrics = catalog.metrics.map((metric) => ({ ...metric, unit: "thing" }));
    await harness.clients.pricing.pushCatalog({ catalog: { metrics } });
    expect(await listAllInvoices(harness.clients)).toEqual(before);
  });
});
