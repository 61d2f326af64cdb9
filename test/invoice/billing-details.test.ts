import { fromJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { billed, priced, use } from "../support/billing.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";

const acme = {
  name: "Acme GmbH",
  address: ["Hauptstr. 1", "10115 Berlin"],
  taxId: "DE123456789",
  email: "a@acme.test",
};
const ann = { name: "Ann Ltd", address: ["1 High St"], taxId: "GB1", email: "ann@ann.test" };

function termsOf({ seller, buyer, purchaseOrder, memo, dueAt }: Invoice) {
  return {
    seller: { name: seller?.name, address: seller?.address, taxId: seller?.taxId, email: seller?.email },
    buyer: { name: buyer?.name, address: buyer?.address, taxId: buyer?.taxId, email: buyer?.email },
    purchaseOrder,
    memo,
    dueAt: dueAt && timestampDate(dueAt).toISOString(),
  };
}

async function only({ clients }: Harness): Promise<Invoice> {
  const [invoice] = await listAllInvoices(clients);
  return invoice as Invoice;
}

const told = { seller: acme, buyer: ann, purchaseOrder: "PO 7", memo: "Thank you." };

async function named(harness: Harness): Promise<void> {
  const { tenant } = harness.clients;
  await tenant.updateTenant({ seller: acme, paymentTermsDays: 10, memo: "Thank you." });
  await tenant.putCustomer({ customer: { id: "ann", billing: { buyer: ann, purchaseOrder: "PO 7" } } });
}

test("a draft shows billing details as they are now, and a finalized invoice keeps those it was finalized with", async () => {
  const harness = await priced();
  const { clients, advanceTo, ownerDb } = harness;
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await advanceTo("2015-06-01T00:00:00Z");
  const nobody = { name: "", address: [], taxId: "", email: "" };
  expect(termsOf(await only(harness))).toEqual({
    ...{ seller: nobody, buyer: nobody, purchaseOrder: "", memo: "" },
    dueAt: "2015-07-01T01:00:00.000Z", // an hour of grace and 30 days
  });
  await named(harness);
  expect(termsOf(await only(harness))).toEqual({ ...told, dueAt: "2015-06-11T01:00:00.000Z" });
  await advanceTo("2015-06-01T01:00:00Z");
  const final = await only(harness);
  expect(termsOf(final)).toEqual({ ...told, dueAt: "2015-06-11T01:00:00.000Z" });
  const event = await ownerDb
    .selectFrom("outbox_event")
    .select("data")
    .where("type", "=", "invoice.finalized")
    .executeTakeFirstOrThrow();
  expect(fromJsonString(EventDataSchema, event.data).invoice).toEqual(final);
  await clients.tenant.updateTenant({ seller: { name: "Other" }, paymentTermsDays: 0, memo: "" });
  await clients.tenant.putCustomer({ customer: { id: "ann" } });
  expect(await only(harness)).toEqual(final);
  const preview = await clients.invoice.previewInvoice({ subject: { case: "customerId", value: "ann" } });
  expect(termsOf(preview.invoice as Invoice)).toMatchObject({
    seller: { name: "Other", address: [], taxId: "" },
    buyer: nobody,
    dueAt: "2015-07-01T01:00:00.000Z", // when the grace period of June ends
  });
});

test("the customer's own payment terms count, none at all included, and its name stands in for the buyer's", async () => {
  const harness = await priced();
  const { clients, advanceTo } = harness;
  await use(harness, "ann", "1", "2015-05-20T00:00:00Z");
  await clients.tenant.putCustomer({
    customer: { id: "ann", name: "Ann", billing: { buyer: { address: ["1 High St"] }, paymentTermsDays: 0 } },
  });
  await advanceTo("2015-06-01T01:00:00Z");
  expect(termsOf(await only(harness))).toMatchObject({
    buyer: { name: "Ann", address: ["1 High St"] },
    dueAt: "2015-06-01T01:00:00.000Z",
  });
});

test("a document from before there were billing details has none, and no due date", async () => {
  const harness = await billed();
  await harness.ownerDb.updateTable("invoice_document").set({ due_at: null, seller: "{}", buyer: "{}" }).execute();
  const invoice = await only(harness);
  expect(termsOf(invoice)).toMatchObject({ seller: { name: "" }, buyer: { name: "" }, purchaseOrder: "" });
  expect(invoice.dueAt).toBeUndefined();
  expect((await harness.clients.invoice.verifyInvoice({ id: invoice.id })).matches).toBe(true);
});
