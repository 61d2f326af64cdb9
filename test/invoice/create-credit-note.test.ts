import { fromJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { CreditNoteSettlement } from "../../gen/usageflow/v1/credit_note_pb.ts";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { CreateCreditNoteRequestSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../../server/api.ts";
import { inTenant } from "../../server/db/database.ts";
import { billed, priced, use } from "../support/billing.ts";
import { type Clients, createClients } from "../support/clients.ts";
import { listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// INV-000001 of ann: Platform fee 20.00, API calls 17.22, Egress 0.00; no tax, no credit drawn.

type Scope = NonNullable<MessageInitShape<typeof CreateCreditNoteRequestSchema>["scope"]>;
const full: Scope = { case: "full", value: true };
const amount = (value: bigint): Scope => ({ case: "amountMinor", value });
const lines = (...parts: { position: number; amountMinor?: bigint }[]): Scope => ({
  case: "lines",
  value: { lines: parts },
});

function take({ invoice }: Clients, scope: Scope, settlement: CreditNoteSettlement = CreditNoteSettlement.UNSPECIFIED) {
  return invoice.createCreditNote({ invoiceId: "INV-000001", scope, reason: "agreed", settlement });
}
const conflict = { code: Code.FailedPrecondition, reason: ErrorReason.STATE_CONFLICT };

test("of an invoice that is not paid, less is owed; the note is numbered, listed and told of", async () => {
  const { clients, ownerDb } = await billed();
  const { creditNote } = await take(clients, amount(722n), CreditNoteSettlement.REFUND);
  expect(creditNote).toMatchObject({
    ...{ number: "CN-000001", invoiceNumber: "INV-000001", customerId: "ann", currency: "USD", reason: "agreed" },
    ...{ amountMinor: 722n, taxMinor: 0n, dueReducedMinor: 722n, creditedMinor: 0n, refundedMinor: 0n, lines: [] },
  });
  expect((await clients.invoice.getInvoice({ id: "INV-000001" })).invoice).toMatchObject({
    ...{ state: InvoiceState.FINALIZED, totalMinor: 3722n, creditedMinor: 722n },
  });
  expect((await clients.invoice.verifyInvoice({ id: "INV-000001" })).matches).toBe(true);
  for (const id of ["CN-000001", creditNote?.id ?? ""]) {
    expect((await clients.invoice.getCreditNote({ id })).creditNote).toEqual(creditNote);
  }
  const event = await ownerDb.selectFrom("outbox_event").selectAll().orderBy("id", "desc").executeTakeFirstOrThrow();
  expect(event.type).toBe("credit_note.created");
  expect(fromJsonString(EventDataSchema, event.data).creditNote).toEqual(creditNote);
});

test("of a paid invoice it becomes credit, or is refunded", async () => {
  const { clients } = await billed();
  await take(clients, amount(22n));
  await clients.invoice.markInvoicePaid({ id: "INV-000001" });
  const refunded = (await take(clients, amount(700n), CreditNoteSettlement.REFUND)).creditNote;
  expect(refunded).toMatchObject({ dueReducedMinor: 0n, creditedMinor: 0n, refundedMinor: 700n });
  const credited = (await take(clients, full)).creditNote;
  expect(credited).toMatchObject({ amountMinor: 3_000n, creditedMinor: 3_000n, number: "CN-000003" });
  const { creditGrants } = await clients.invoice.listCreditGrants({ customerId: "ann" });
  expect(creditGrants).toMatchObject([
    { amountMinor: 3_000n, remainingMinor: 3_000n, currency: "USD", invoiceId: credited?.invoiceId, source: 4 },
  ]);
  expect(await refused(take(clients, full))).toMatchObject(conflict);
  expect(await refused(take(clients, amount(1n)))).toMatchObject(conflict);
});

test("lines are taken back wholly or in part, each once", async () => {
  const { clients } = await billed();
  const first = (await take(clients, lines({ position: 2, amountMinor: 700n }))).creditNote;
  expect(first).toMatchObject({
    amountMinor: 700n,
    lines: [{ position: 2, amountMinor: 700n, description: "API calls: 482 units" }],
  });
  const field = "lines.lines[0].amount_minor";
  expect(await refused(take(clients, lines({ position: 2, amountMinor: 1_023n })))).toMatchObject({ code: 3, field });
  const rest = (await take(clients, lines({ position: 1 }, { position: 2 }))).creditNote;
  expect(rest?.lines.map((line) => line.amountMinor)).toEqual([2_000n, 1_022n]);
  expect(rest?.amountMinor).toBe(3_022n);
  expect(await refused(take(clients, lines({ position: 1 })))).toMatchObject(conflict);
});

test("an amount that was taken back already is not there for lines any more", async () => {
  const { clients } = await billed();
  await take(clients, amount(2_000n));
  await expect(take(clients, lines({ position: 1 }))).rejects.toThrow(
    "this comes to 20.00 USD; only 17.22 USD is left to take back of the invoice",
  );
});

test("nothing is taken back of drafts and void invoices, nor of what is no charge, nor without a reason", async () => {
  const harness = await billed(["ann", "bob"]);
  const { clients } = harness;
  await clients.invoice.voidInvoice({ id: "INV-000002", reason: "x" });
  await harness.advanceTo("2015-07-01T00:00:00Z");
  const draft = (await listAllInvoices(clients)).find(({ state }) => state === InvoiceState.DRAFT)?.id ?? "";
  for (const invoiceId of [draft, "INV-000002"]) {
    const call = clients.invoice.createCreditNote({ invoiceId, scope: full, reason: "x" });
    expect(await refused(call)).toMatchObject(conflict);
  }
  const absent = clients.invoice.createCreditNote({ invoiceId: "INV-000009", scope: full, reason: "x" });
  expect(await refused(absent)).toMatchObject({ reason: ErrorReason.NOT_FOUND });
  for (const [scope, field] of [
    [lines({ position: 9 }), "lines.lines[0].position"],
    [lines({ position: 1 }, { position: 1 }), "lines.lines[1].position"],
    [lines({ position: 0 }), "lines.lines[0].position"],
    [lines(), "lines.lines"],
    [amount(0n), "amount_minor"],
  ] as const) {
    expect(await refused(take(clients, scope))).toMatchObject({ code: 3, field });
  }
  expect(await refused(take(clients, lines({ position: 3 })))).toMatchObject(conflict); // 0.00
  const silent = clients.invoice.createCreditNote({ invoiceId: "INV-000001", scope: full });
  expect(await refused(silent)).toMatchObject({ field: "reason" });
  const scopeless = clients.invoice.createCreditNote({ invoiceId: "INV-000001", reason: "x" });
  expect(await refused(scopeless)).toMatchObject({ code: 3 });
  expect((await clients.invoice.listCreditNotes({})).creditNotes).toEqual([]);
});

test("an invoice with credit notes is not voided, and can still be given up and paid", async () => {
  const { clients } = await billed();
  await take(clients, amount(100n));
  expect(await refused(clients.invoice.voidInvoice({ id: "INV-000001", reason: "x" }))).toMatchObject(conflict);
  await clients.invoice.markInvoiceUncollectible({ id: "INV-000001" });
  expect((await take(clients, amount(100n))).creditNote).toMatchObject({ dueReducedMinor: 100n });
  expect((await clients.invoice.markInvoicePaid({ id: "INV-000001" })).invoice).toMatchObject({ creditedMinor: 200n });
});

test("of many at once, in two processes, no more is taken than there is, and numbers have no gap", async () => {
  const harness = await billed();
  const second = await startApi(await harness.addApp());
  try {
    const both = [harness.clients, createClients(second.url, harness.tenant.testKey)];
    await harness.clients.invoice.markInvoicePaid({ id: "INV-000001" });
    const calls = Array.from({ length: 12 }, (_, at) => take(both[at % 2] as Clients, amount(500n)));
    const done = (await Promise.allSettled(calls)).filter(({ status }) => status === "fulfilled");
    expect(done).toHaveLength(7); // of 37.22
    const { creditNotes } = await harness.clients.invoice.listCreditNotes({ invoiceId: "INV-000001" });
    expect(creditNotes.map((note) => note.number).sort()).toEqual(
      Array.from({ length: 7 }, (_, at) => `CN-00000${at + 1}`),
    );
    const { creditGrants } = await harness.clients.invoice.listCreditGrants({ customerId: "ann" });
    expect(creditGrants.reduce((sum, grant) => sum + grant.remainingMinor, 0n)).toBe(3_500n);
  } finally {
    await second.close();
  }
});

test("a note and a voiding at once: one of them, never both", async () => {
  const harness = await billed(["ann", "bob", "cat"]);
  const { invoice } = harness.clients;
  for (const { id } of harness.invoices) {
    const [note, voided] = await Promise.allSettled([
      invoice.createCreditNote({ invoiceId: id, scope: full, reason: "x" }),
      invoice.voidInvoice({ id, reason: "x" }),
    ]);
    expect([note?.status, voided?.status].sort()).toEqual(["fulfilled", "rejected"]);
  }
});

test("with an idempotency key one note is made", async () => {
  const { clients } = await billed();
  const request = { invoiceId: "INV-000001", scope: amount(100n), reason: "x" };
  const call = () => clients.invoice.createCreditNote(request, { headers: { "idempotency-key": "note-1" } });
  expect(await call()).toEqual(await call());
  expect((await clients.invoice.listCreditNotes({})).creditNotes).toHaveLength(1);
});

test("notes are listed by invoice and by customer, page by page, and only where they belong", async () => {
  const harness = await billed(["ann", "bob"]);
  const { clients } = harness;
  for (const { id } of harness.invoices) {
    for (const value of [100n, 200n]) {
      await clients.invoice.createCreditNote({ invoiceId: id, scope: amount(value), reason: "x" });
    }
  }
  const list = async (request: Parameters<typeof clients.invoice.listCreditNotes>[0]) =>
    (await clients.invoice.listCreditNotes(request)).creditNotes.map((note) => note.number);
  expect(await list({ invoiceId: "INV-000002" })).toEqual(["CN-000003", "CN-000004"]);
  expect(await list({ invoiceId: harness.invoices[0]?.id ?? "" })).toEqual(["CN-000001", "CN-000002"]);
  expect(await list({ customerId: "bob" })).toEqual(["CN-000003", "CN-000004"]);
  const page = await clients.invoice.listCreditNotes({ pageSize: 3 });
  expect(await list({ pageToken: page.nextPageToken })).toEqual(["CN-000004"]);
  const live = harness.clientsFor(harness.tenant.liveKey);
  expect((await live.invoice.listCreditNotes({})).creditNotes).toEqual([]);
  expect(await refused(live.invoice.getCreditNote({ id: "CN-000001" }))).toMatchObject({ code: Code.NotFound });
  const viewer = await clients.tenant.createApiKey({ role: Role.VIEWER });
  expect(await refused(take(harness.clientsFor(viewer.secret), full))).toMatchObject({ code: Code.PermissionDenied });
});

test("the database takes no note that takes more than there is, or what another took, and changes none", async () => {
  const harness = await billed();
  const { app, tenant, clients } = harness;
  await take(clients, amount(722n));
  const insert = (change: Record<string, unknown>) =>
    inTenant(app.db, tenant.testId, async (tx) => {
      const note = await tx
        .selectFrom("credit_note")
        .selectAll()
        .where("tenant_id", "=", tenant.testId)
        .executeTakeFirstOrThrow();
      const other = {
        ...note,
        id: "00000000-0000-7000-8000-000000000000",
        sequence: 2n,
        number: "CN-000002",
        lines: "[]",
      };
      await tx
        .insertInto("credit_note")
        .values({ ...other, ...change })
        .execute();
    });
  await expect(insert({})).rejects.toThrow(/credit_note_before_key/);
  await expect(insert({ before_minor: 722n, amount_minor: 3_001n })).rejects.toThrow(/credit_note_(within|settled)/);
  await expect(insert({ before_minor: 722n, refunded_minor: 1n })).rejects.toThrow(/credit_note_settled/);
  const change = inTenant(app.db, tenant.testId, (tx) => tx.updateTable("credit_note").set({ reason: "" }).execute());
  await expect(change).rejects.toThrow(/permission denied/);
});

test("with a line go its share of discount and tax, and credit that was drawn comes back last, as credit", async () => {
  const harness = await priced();
  const { clients, advanceTo } = harness;
  const taxRates = [
    { name: "VAT", percent: "19" },
    { name: "Levy", percent: "1", inclusive: true },
  ];
  await clients.tenant.putCustomer({ customer: { id: "ann", taxRates } });
  await clients.invoice.createCreditGrant({ customerId: "ann", currency: "USD", amount: "10.00" });
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await harness.drain();
  const [subscription] = (await clients.pricing.listSubscriptions({})).subscriptions;
  await clients.pricing.createDiscount({
    ...{ subscriptionId: subscription?.id ?? "", name: "Welcome", value: { case: "percent", value: "10" } },
    duration: { case: "forEver", value: true },
  });
  await advanceTo("2015-06-01T01:00:00Z");
  // 37.22 less 3.72 is 33.50, which contains 0.33 of levy; 6.30 of tax comes on top, and 10.00 are paid with credit.
  const { invoice } = await clients.invoice.getInvoice({ id: "INV-000001" });
  expect(invoice).toMatchObject({ discountMinor: 372n, taxMinor: 630n, creditMinor: 1_000n, totalMinor: 2_980n });
  const line = (await take(clients, lines({ position: 1 }))).creditNote;
  expect(line).toMatchObject({ amountMinor: 2_139n, taxMinor: 356n, dueReducedMinor: 2_139n, creditedMinor: 0n });
  for (const position of [4, 5, 6])
    expect(await refused(take(clients, lines({ position })))).toMatchObject({ code: 3 });
  await clients.invoice.markInvoicePaid({ id: "INV-000001" });
  const rest = (await take(clients, full, CreditNoteSettlement.REFUND)).creditNote;
  expect(rest).toMatchObject({ amountMinor: 1_841n, taxMinor: 307n, refundedMinor: 841n, creditedMinor: 1_000n });
  expect((await clients.invoice.verifyInvoice({ id: "INV-000001" })).matches).toBe(true);
});
