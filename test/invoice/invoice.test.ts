import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { type Invoice, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour.

/** Three customers, each with a final invoice for May and a draft for June. */
async function billed(): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  for (const customerId of ["ann", "bob", "cat"]) {
    await harness.clients.usage.trackUsage({ events: [{ metric: "API_CALL", amount: "482", customerId }] });
  }
  await harness.advanceTo("2015-07-01T00:30:00Z");
  return harness;
}

const states = (invoices: readonly Invoice[]) => invoices.map(({ customerId, state }) => [customerId, state]);

describe("getInvoice", () => {
  test("answers an invoice by id and by number, with its lines", async () => {
    const { clients } = await billed();
    const { invoice } = await clients.invoice.getInvoice({ id: "INV-000002" });
    expect(invoice).toMatchObject({ customerId: "bob", totalMinor: 3722n, currency: "USD" });
    expect(invoice?.lines).toHaveLength(3);
    expect((await clients.invoice.getInvoice({ id: invoice?.id ?? "" })).invoice).toEqual(invoice);
  });

  test("works out the lines of a draft", async () => {
    const { clients } = await billed();
    const { invoices } = await clients.invoice.listInvoices({ customerId: "cat", state: InvoiceState.DRAFT });
    expect(invoices).toHaveLength(1);
    const { invoice } = await clients.invoice.getInvoice({ id: invoices[0]?.id ?? "" });
    expect(invoice).toEqual(invoices[0]);
    expect(invoice?.lines.map((line) => line.description)).toEqual([
      "Platform fee",
      "API calls: 0 units",
      "Egress: 0 packages of 1000000 byte",
    ]);
  });

  test("does not find another tenant's invoice, nor one that is none", async () => {
    const { clients, clientsFor, addOrganization } = await billed();
    const { invoice } = await clients.invoice.getInvoice({ id: "INV-000001" });
    const stranger = clientsFor((await addOrganization("Other")).testKey);
    const calls = [
      stranger.invoice.getInvoice({ id: invoice?.id ?? "" }),
      stranger.invoice.getInvoice({ id: "INV-000001" }),
      clients.invoice.getInvoice({ id: "INV-000004" }),
      clients.invoice.getInvoice({ id: "inv_0000000000000000000000" }),
    ].map(refused);
    for (const answer of await Promise.all(calls)) {
      expect(answer).toEqual({ code: Code.NotFound, reason: ErrorReason.NOT_FOUND, field: "" });
    }
    expect((await stranger.invoice.listInvoices({})).invoices).toEqual([]);
  });
});

describe("listInvoices", () => {
  test("lists oldest first, page by page, drafts and final ones with their lines", async () => {
    const { clients } = await billed();
    const all = await listAllInvoices(clients);
    expect(states(all)).toEqual([
      ["ann", InvoiceState.FINALIZED],
      ["bob", InvoiceState.FINALIZED],
      ["cat", InvoiceState.FINALIZED],
      ["ann", InvoiceState.DRAFT],
      ["bob", InvoiceState.DRAFT],
      ["cat", InvoiceState.DRAFT],
    ]);
    const paged: Invoice[] = [];
    for (let pageToken = "", pages = 0; pages === 0 || pageToken; pages++) {
      const page = await clients.invoice.listInvoices({ pageSize: 4, pageToken });
      paged.push(...page.invoices);
      pageToken = page.nextPageToken;
    }
    expect(paged).toEqual(all);
    const newest = await clients.invoice.listInvoices({ newestFirst: true, pageSize: 4 });
    const rest = await clients.invoice.listInvoices({ newestFirst: true, pageToken: newest.nextPageToken });
    expect([...newest.invoices, ...rest.invoices]).toEqual(all.toReversed());
    expect(await refused(clients.invoice.listInvoices({ pageToken: newest.nextPageToken }))).toMatchObject({
      reason: ErrorReason.PAGE_TOKEN_INVALID,
    });
    for (const invoice of all) {
      expect(invoice.lines).toHaveLength(3);
      expect(invoice.lines.reduce((sum, line) => sum + line.amountMinor, 0n)).toBe(invoice.totalMinor);
    }
  });

  test("lists those of one customer, or in one state", async () => {
    const { clients } = await billed();
    const list = async (filter: { customerId?: string; state?: InvoiceState }) =>
      states((await clients.invoice.listInvoices(filter)).invoices);
    const final = InvoiceState.FINALIZED;
    expect(await list({ customerId: "bob" })).toEqual([
      ["bob", final],
      ["bob", InvoiceState.DRAFT],
    ]);
    expect(await list({ state: final })).toEqual(["ann", "bob", "cat"].map((customer) => [customer, final]));
    expect(await list({ customerId: "bob", state: InvoiceState.DRAFT })).toEqual([["bob", InvoiceState.DRAFT]]);
    expect(await list({ customerId: "nobody" })).toEqual([]);
  });

  test("lists those whose period begins in a span of time, its start included and its end not", async () => {
    const { clients } = await billed();
    const at = (time: string) => timestampFromDate(new Date(time));
    const list = async (filter: { periodStartFrom?: Timestamp; periodStartBefore?: Timestamp }) =>
      (await clients.invoice.listInvoices({ customerId: "bob", ...filter })).invoices.map(({ state }) => state);
    const [may, june] = [InvoiceState.FINALIZED, InvoiceState.DRAFT];
    expect(await list({ periodStartFrom: at("2015-05-01T00:00:00Z") })).toEqual([may, june]);
    expect(await list({ periodStartFrom: at("2015-05-01T00:00:00.001Z") })).toEqual([june]);
    expect(await list({ periodStartBefore: at("2015-06-01T00:00:00Z") })).toEqual([may]);
    expect(await list({ periodStartBefore: at("2015-06-01T00:00:00.001Z") })).toEqual([may, june]);
    const both = { periodStartFrom: at("2015-05-02T00:00:00Z"), periodStartBefore: at("2015-06-01T00:00:00Z") };
    expect(await list(both)).toEqual([]);
    const early = { periodStartFrom: at("1969-12-31T23:59:59Z") };
    expect(await refused(clients.invoice.listInvoices(early))).toMatchObject({ field: "period_start_from" });
  });

  test("takes no page token of another list", async () => {
    const { clients } = await billed();
    const { nextPageToken } = await clients.invoice.listInvoices({ pageSize: 1 });
    const call = clients.pricing.listSubscriptions({ pageToken: nextPageToken });
    expect(await refused(call)).toMatchObject({ reason: ErrorReason.PAGE_TOKEN_INVALID });
  });
});
