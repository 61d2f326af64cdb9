import { fromJsonString } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { type Invoice, InvoiceState, InvoiceStateSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../../server/api.ts";
import { type Db, inTenant } from "../../server/db/database.ts";
import { billed, priced, use } from "../support/billing.ts";
import { type Clients, createClients } from "../support/clients.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// The tenant's clock stands at 2015-06-01T01:00:00Z once May is billed.

const id = "INV-000001";
const steps = {
  pay: ({ invoice }: Clients, invoiceId = id) => invoice.markInvoicePaid({ id: invoiceId, reference: "pi_1" }),
  void: ({ invoice }: Clients, invoiceId = id) => invoice.voidInvoice({ id: invoiceId, reason: "sent twice" }),
  giveUp: ({ invoice }: Clients, invoiceId = id) =>
    invoice.markInvoiceUncollectible({ id: invoiceId, reason: "bankrupt" }),
};
type Step = keyof typeof steps;

function brief(invoice: Invoice | undefined): string[] {
  const word = (state: InvoiceState) => InvoiceStateSchema.value[state]?.localName ?? "";
  return (invoice?.changes ?? []).map(({ from, to, note }) => `${word(from)} ${word(to)} ${note}`.trim());
}

function staged({ ownerDb }: Harness) {
  return ownerDb.selectFrom("outbox_event").select(["type", "occurred_at", "data"]).orderBy("id").execute();
}

describe("an invoice that is final", () => {
  test.each<[Step[], string[]]>([
    [["pay"], ["FINALIZED PAID pi_1"]],
    [["void"], ["FINALIZED VOID sent twice"]],
    [["giveUp"], ["FINALIZED UNCOLLECTIBLE bankrupt"]],
    [
      ["giveUp", "pay"],
      ["FINALIZED UNCOLLECTIBLE bankrupt", "UNCOLLECTIBLE PAID pi_1"],
    ],
    [
      ["giveUp", "void"],
      ["FINALIZED UNCOLLECTIBLE bankrupt", "UNCOLLECTIBLE VOID sent twice"],
    ],
  ])("goes the way %j, and tells of each step once, however often it is asked", async (way, changes) => {
    const harness = await billed();
    const { clients } = harness;
    const before = (await staged(harness)).length;
    for (const step of way) {
      const { invoice } = await steps[step](clients);
      expect((await steps[step](clients)).invoice).toEqual(invoice);
    }
    const { invoice } = await clients.invoice.getInvoice({ id });
    expect(brief(invoice)).toEqual(["DRAFT FINALIZED", ...changes]);
    expect(await listAllInvoices(clients)).toEqual([invoice]);
    const told = { pay: "invoice.paid", void: "invoice.voided", giveUp: "invoice.uncollectible" };
    const events = (await staged(harness)).slice(before);
    expect(events.map((event) => event.type)).toEqual(way.map((step) => told[step]));
    expect(fromJsonString(EventDataSchema, events.at(-1)?.data ?? "").invoice).toEqual(invoice);
  });

  test.each<[Step[], Step]>([
    [["pay"], "void"],
    [["pay"], "giveUp"],
    [["void"], "pay"],
    [["void"], "giveUp"],
    [["giveUp", "pay"], "giveUp"],
    [["giveUp", "pay"], "void"],
  ])("does not go on from %j to %s", async (way, step) => {
    const harness = await billed();
    for (const done of way) await steps[done](harness.clients);
    const before = await harness.clients.invoice.getInvoice({ id });
    expect(await refused(steps[step](harness.clients))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.STATE_CONFLICT,
    });
    expect(await harness.clients.invoice.getInvoice({ id })).toEqual(before);
  });

  test("says by whose key, when it was done, and when it was paid", async () => {
    const harness = await billed();
    const { clients, advanceTo } = harness;
    await advanceTo("2015-06-10T00:00:00Z");
    const { apiKeys } = await clients.tenant.listApiKeys({});
    const paidAt = timestampFromDate(new Date("2015-06-08T12:00:00Z"));
    const { invoice } = await clients.invoice.markInvoicePaid({ id, paidAt, reference: "pi_1" });
    expect(invoice).toMatchObject({ state: InvoiceState.PAID, number: id, totalMinor: 3722n });
    expect(invoice?.changes).toMatchObject([
      { from: InvoiceState.DRAFT, to: InvoiceState.FINALIZED, keyId: "", note: "" },
      { from: InvoiceState.FINALIZED, to: InvoiceState.PAID, keyId: apiKeys[0]?.id, note: "pi_1", paidAt },
    ]);
    expect(invoice?.changes.map(({ at }) => at && timestampDate(at).toISOString().slice(0, 10))).toEqual([
      "2015-06-01",
      "2015-06-10",
    ]);
    // The first time and reference stand.
    expect((await clients.invoice.markInvoicePaid({ id, reference: "pi_2" })).invoice).toEqual(invoice);
  });

  test("was paid now where no time is given, and never in the future", async () => {
    const { clients } = await billed(["ann", "bob"]);
    const { invoice } = await clients.invoice.markInvoicePaid({ id });
    expect(invoice?.changes[1]).toMatchObject({ paidAt: invoice?.changes[1]?.at });
    const paidAt = timestampFromDate(new Date("2015-06-01T01:00:00.001Z"));
    expect(await refused(clients.invoice.markInvoicePaid({ id: "INV-000002", paidAt }))).toEqual({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_FIELD,
      field: "paid_at",
    });
  });

  test("is voided for a reason", async () => {
    const { clients } = await billed();
    expect(await refused(clients.invoice.voidInvoice({ id }))).toMatchObject({ field: "reason" });
  });

  test("bills nothing anew when it is void, and leaves room for an invoice of its period", async () => {
    const { clients, advanceTo, ownerDb } = await billed();
    await steps.void(clients);
    await advanceTo("2015-07-01T01:00:00Z");
    const invoices = await listAllInvoices(clients);
    expect(invoices.map(({ number, state, totalMinor }) => [number, state, totalMinor])).toEqual([
      ["INV-000001", InvoiceState.VOID, 3722n],
      ["INV-000002", InvoiceState.FINALIZED, 2000n],
    ]);
    const again = (number: string) =>
      sql`
      insert into invoice select (jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid(), 'state', 'DRAFT'))).*
      from invoice i join invoice_document d on d.tenant_id = i.tenant_id and d.invoice_id = i.id
      where d.number = ${number}`.execute(ownerDb);
    await expect(again("INV-000002")).rejects.toMatchObject({ constraint: "invoice_period_key" });
    await again("INV-000001");
    await expect(again("INV-000001")).rejects.toMatchObject({ constraint: "invoice_period_key" });
  });
});

test("a draft can neither be paid, nor voided, nor given up", async () => {
  const harness = await priced();
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await harness.advanceTo("2015-06-01T00:00:00Z");
  const [draft] = await listAllInvoices(harness.clients);
  for (const step of Object.values(steps)) {
    expect(await refused(step(harness.clients, draft?.id))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
  }
});

test("nobody else's invoice can be moved, nor one that is none, nor by a key that may only read", async () => {
  const { clients, clientsFor, addOrganization, invoices } = await billed();
  const stranger = clientsFor((await addOrganization("Other")).testKey);
  const { secret } = await clients.tenant.createApiKey({ role: Role.DEVELOPER });
  for (const step of Object.values(steps)) {
    for (const name of [id, invoices[0]?.id]) {
      expect(await refused(step(stranger, name))).toMatchObject({ code: Code.NotFound });
    }
    expect(await refused(step(clients, "INV-000002"))).toMatchObject({ code: Code.NotFound });
    expect(await refused(step(clientsFor(secret)))).toMatchObject({ code: Code.PermissionDenied });
  }
  expect(await listAllInvoices(clients)).toEqual(invoices);
});

test("of different steps at once, in two processes, one wins and the others are refused", async () => {
  const numbers = Array.from({ length: 10 }, (_, i) => `INV-${String(i + 1).padStart(6, "0")}`);
  const harness = await billed(numbers.map((number) => `of ${number}`));
  const api = await startApi(await harness.addApp());
  const both = [harness.clients, createClients(api.url, harness.tenant.testKey)];
  const before = (await staged(harness)).length;
  for (const number of numbers) {
    const calls = both.flatMap((clients) => [steps.pay(clients, number), steps.void(clients, number)]);
    const answers = await Promise.allSettled(calls);
    // The same step of the other process is answered the same, and counts as done.
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    const { invoice } = await harness.clients.invoice.getInvoice({ id: number });
    expect(invoice?.changes).toHaveLength(2);
  }
  expect(await staged(harness)).toHaveLength(before + numbers.length);
  await api.close();
});

test("with an idempotency key the first answer is given again, and another request is refused", async () => {
  const { clients } = await billed();
  const headers = { "idempotency-key": "k1" };
  const { invoice } = await clients.invoice.markInvoiceUncollectible({ id }, { headers });
  await steps.pay(clients);
  expect((await clients.invoice.markInvoiceUncollectible({ id }, { headers })).invoice).toEqual(invoice);
  expect(await refused(clients.invoice.voidInvoice({ id, reason: "x" }, { headers }))).toMatchObject({
    reason: ErrorReason.IDEMPOTENCY_CONFLICT,
  });
});

describe("the database", () => {
  const attempt = (db: Db, tenantId: string, statement: string) =>
    inTenant(db, tenantId, (tx) => sql.raw<{ moved: string }>(statement).execute(tx)).then(
      ({ rows }) => rows.map(({ moved }) => moved),
      (error: { constraint?: string; message: string }) => error.constraint ?? error.message,
    );

  test("lets no role of the server change a state but by the one door", async () => {
    const { app, tenant } = await billed();
    for (const db of [app.db, app.workerDb]) {
      for (const statement of [
        "update invoice set state = 'PAID'",
        "update invoice set state = 'DRAFT'",
        `insert into invoice_change select tenant_id, id, 'FINALIZED', 'PAID', now(), null, '', now() from invoice`,
        "update invoice_change set note = ''",
        "delete from invoice_change",
      ]) {
        expect(await attempt(db, tenant.testId, statement)).toMatch(/^permission denied/);
      }
    }
  });

  const states = ["DRAFT", "FINALIZED", "PAID", "VOID", "UNCOLLECTIBLE"];
  const allowed = [
    ["DRAFT", "FINALIZED"],
    ["FINALIZED", "PAID"],
    ["FINALIZED", "VOID"],
    ["FINALIZED", "UNCOLLECTIBLE"],
    ["UNCOLLECTIBLE", "PAID"],
    ["UNCOLLECTIBLE", "VOID"],
  ].map(String);

  test("lets an invoice through that door only in allowed steps from where it is", async () => {
    const { app, tenant, ownerDb } = await billed();
    const { id } = await ownerDb.selectFrom("invoice").select("id").executeTakeFirstOrThrow();
    const door = (from: string, to: string) =>
      `select change_invoice_state('${tenant.testId}', array['${id}']::uuid[], '${from}', '${to}', now(), null, '',
        ${to === "PAID" ? "now()" : "null"}) as moved`;
    for (const db of [app.db, app.workerDb]) {
      for (const is of states) {
        for (const to of states) {
          // As if it had come there, which only the superuser can say.
          await ownerDb.deleteFrom("invoice_change").execute();
          await ownerDb.updateTable("invoice").set({ state: is }).execute();
          const legal = allowed.includes(String([is, to]));
          expect([is, to, await attempt(db, tenant.testId, door(is, to))]).toEqual([
            is,
            to,
            legal ? [id] : "invoice_change_step",
          ]);
          for (const wrong of states.filter((state) => state !== is && !legal)) {
            expect(await attempt(db, tenant.testId, door(wrong, to))).toEqual([]);
          }
        }
      }
    }
  });

  test("leaves each state once, and moves nobody else's invoices", async () => {
    const { app, tenant, ownerDb, addOrganization } = await billed();
    const { id } = await ownerDb.selectFrom("invoice").select("id").executeTakeFirstOrThrow();
    const door = (tenantId: string) =>
      `select change_invoice_state('${tenantId}', array['${id}']::uuid[], 'DRAFT', 'FINALIZED', now(), null, '', null)
        as moved`;
    await ownerDb.updateTable("invoice").set({ state: "DRAFT" }).execute();
    expect(await attempt(app.workerDb, tenant.testId, door(tenant.testId))).toBe("invoice_change_pkey");
    const other = await addOrganization("Other");
    await ownerDb.deleteFrom("invoice_change").execute();
    expect(await attempt(app.workerDb, other.testId, door(tenant.testId))).toEqual([]);
    expect(await attempt(app.workerDb, other.testId, door(other.testId))).toEqual([]);
  });
});
