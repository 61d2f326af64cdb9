import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../../server/api.ts";
import { finalizeInvoices } from "../../server/invoice/finalize-invoices.ts";
import { priced, use } from "../support/billing.ts";
import { createClients } from "../support/clients.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

/** Drafts for May, an hour before the worker finalizes them. */
async function drafted(customers: readonly string[] = ["ann"]): Promise<Harness & { ids: string[] }> {
  const harness = await priced();
  for (const customer of customers) await use(harness, customer, "482", "2015-05-20T00:00:00Z");
  await harness.advanceTo("2015-06-01T00:00:00Z");
  return { ...harness, ids: (await listAllInvoices(harness.clients)).map((invoice) => invoice.id) };
}

test("a draft is finalized at once, as the worker would, and once", async () => {
  const harness = await drafted(["ann", "bob"]);
  const { clients, ids, ownerDb } = harness;
  const [ann = "", bob = ""] = ids;
  const { invoice } = await clients.invoice.finalizeInvoice({ id: bob });
  const { apiKeys } = await clients.tenant.listApiKeys({});
  expect(invoice).toMatchObject({
    id: bob,
    number: "INV-000001",
    state: InvoiceState.FINALIZED,
    totalMinor: 3722n,
    changes: [{ from: InvoiceState.DRAFT, to: InvoiceState.FINALIZED, keyId: apiKeys[0]?.id }],
  });
  expect((await clients.invoice.finalizeInvoice({ id: bob })).invoice).toEqual(invoice);
  await harness.advanceTo("2015-06-01T01:00:00Z");
  expect((await clients.invoice.getInvoice({ id: bob })).invoice).toEqual(invoice);
  expect((await clients.invoice.getInvoice({ id: ann })).invoice).toMatchObject({ number: "INV-000002" });
  const events = await ownerDb.selectFrom("outbox_event").select("type").orderBy("id").execute();
  expect(events.map(({ type }) => type).filter((type) => type === "invoice.finalized")).toHaveLength(2);
  const due = await ownerDb.selectFrom("tenant_due").select("work").execute();
  expect(due).toEqual([{ work: "CLOSE_PERIODS" }]);
});

test("it waits until accepted usage of its period is counted, and then counts it", async () => {
  const harness = await drafted(["ann", "bob"]);
  const [ann = "", bob = ""] = harness.ids;
  await use(harness, "ann", "100", "2015-05-31T23:59:59Z");
  await use(harness, "bob", "100", "2015-06-01T00:00:00Z"); // not of its period
  const finalize = (id: string) => harness.clients.invoice.finalizeInvoice({ id });
  expect(await refused(finalize(ann))).toMatchObject({
    code: Code.FailedPrecondition,
    reason: ErrorReason.STATE_CONFLICT,
  });
  expect((await finalize(bob)).invoice).toMatchObject({ totalMinor: 3722n });
  await harness.drain();
  expect((await finalize(ann)).invoice?.lines[1]).toMatchObject({ quantity: "582" });
});

test("a period that has not ended is not finalized, nor an invoice that is past it", async () => {
  const { clients, ids, ownerDb } = await drafted();
  const [id = ""] = ids;
  const period = (end: string) =>
    ownerDb
      .updateTable("invoice")
      .set({ period_end: new Date(end), full_period_end: new Date(end) })
      .execute();
  await period("2015-06-01T00:00:00.001Z");
  const call = () => refused(clients.invoice.finalizeInvoice({ id }));
  expect(await call()).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
  await period("2015-06-01T00:00:00Z");
  expect(await call()).toBeUndefined();
  await clients.invoice.voidInvoice({ id, reason: "x" });
  expect(await call()).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
});

test("strangers and keys that may only read finalize nothing", async () => {
  const { clients, clientsFor, addOrganization, ids } = await drafted();
  const [id = ""] = ids;
  const { secret } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const stranger = clientsFor((await addOrganization("Other")).testKey);
  expect(await refused(stranger.invoice.finalizeInvoice({ id }))).toMatchObject({ code: Code.NotFound });
  expect(await refused(clientsFor(secret).invoice.finalizeInvoice({ id }))).toMatchObject({
    code: Code.PermissionDenied,
  });
  expect((await clients.invoice.getInvoice({ id })).invoice).toMatchObject({ state: InvoiceState.DRAFT });
});

test("two processes and the workers at it at once leave no gap and no double", async () => {
  const customers = Array.from({ length: 20 }, (_, i) => `c${String(i).padStart(2, "0")}`);
  const harness = await drafted(customers);
  const { clients, ids, ownerDb, tenant, app, addApp } = harness;
  const second = await addApp();
  const api = await startApi(second);
  const both = [clients, createClients(api.url, tenant.testKey)];
  const now = { clock_frozen_at: new Date("2015-06-01T01:00:00Z") };
  const calls = ids.flatMap((id) => both.map((one) => one.invoice.finalizeInvoice({ id })));
  await ownerDb.updateTable("tenant").set(now).where("tenant_id", "=", tenant.testId).execute();
  const workers = [app, second].map((worker) => finalizeInvoices(worker, tenant.testId));
  await Promise.all([...calls, ...workers]);
  await api.close();
  const numbers = (await listAllInvoices(clients)).map((invoice) => invoice.number).sort();
  expect(numbers).toEqual(customers.map((_, i) => `INV-${String(i + 1).padStart(6, "0")}`));
  const events = await ownerDb.selectFrom("outbox_event").select("type").execute();
  expect(events.filter(({ type }) => type === "invoice.finalized")).toHaveLength(customers.length);
});
