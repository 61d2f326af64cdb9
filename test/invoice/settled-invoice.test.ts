import { create, fromJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { CreditEntryKind } from "../../gen/usageflow/v1/credit_pb.ts";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { type Invoice, InvoiceLineKind, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { Period, type Plan, PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { startApi } from "../../server/api.ts";
import { inTenant } from "../../server/db/database.ts";
import { grantCredit } from "../../server/invoice/credit.ts";
import { billed, priced, use } from "../support/billing.ts";
import { createClients } from "../support/clients.ts";
import { expectLedgerToAddUp, ledger } from "../support/credits.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// A month of 482 calls and the fee is 37.22 USD. It is finalized at 2015-06-01T01:00:00Z.

const MAY = "2015-05-20T00:00:00Z";
const FINAL = "2015-06-01T01:00:00Z";
const at = (time: string) => timestampFromDate(new Date(time));

/** The lines after the charges, in few words. */
function added(invoice: Invoice | undefined): string[] {
  return (invoice?.lines ?? [])
    .filter(({ kind }) => kind > InvoiceLineKind.MINIMUM)
    .map((line) => `${line.description} ${line.amountMinor}`);
}

async function grant({ clients }: Harness, amount: string, more: object = {}, customerId = "ann"): Promise<string> {
  const answer = await clients.invoice.createCreditGrant({ customerId, currency: "USD", amount, ...more });
  return answer.creditGrant?.id ?? "";
}

async function verified({ clients }: Harness): Promise<boolean[]> {
  const finals = (await listAllInvoices(clients)).filter((invoice) => invoice.number !== "");
  return Promise.all(finals.map(async ({ id }) => (await clients.invoice.verifyInvoice({ id })).matches));
}

/** A plan of one fee a month. */
function feeOfTen(key: string): Plan {
  return create(PlanSchema, {
    key,
    currency: "USD",
    period: Period.MONTHLY,
    prices: [{ key: "fee", model: { case: "flat", value: { amount: "10" } } }],
  });
}

describe("an invoice under terms", () => {
  test("shows the same lines and totals as a preview, as a draft, and when it is final", async () => {
    const harness = await priced();
    const { clients } = harness;
    const taxRates = [
      { name: "VAT", percent: "19" },
      { name: "Levy", percent: "2.5" },
    ];
    await clients.tenant.putCustomer({ customer: { id: "ann", taxRates } });
    await use(harness, "ann", "482", MAY);
    await harness.drain();
    const { subscriptions } = await clients.pricing.listSubscriptions({});
    const subscriptionId = subscriptions[0]?.id ?? "";
    const value = { case: "percent", value: "10" } as const;
    const { discount } = await clients.pricing.createDiscount({
      subscriptionId,
      name: "Launch offer",
      value,
      duration: { case: "periods", value: 1 },
    });
    await grant(harness, "5", { note: "goodwill" });
    const subject = { case: "customerId", value: "ann" } as const;
    const { invoice: preview } = await clients.invoice.previewInvoice({ subject });
    await harness.advanceTo("2015-06-01T00:00:00Z");
    const [draft] = await listAllInvoices(clients);
    await harness.advanceTo(FINAL);
    const [final] = await listAllInvoices(clients);
    // 37.22 - 3.72 = 33.50; 19 % of it is 6.365, 2.5 % is 0.8375.
    for (const invoice of [preview, draft, final]) {
      expect(added(invoice)).toEqual([
        "Launch offer (10%) -372",
        "VAT (19%) 637",
        "Levy (2.5%) 84",
        "Paid with credit -500",
      ]);
      expect(invoice).toMatchObject({
        subtotalMinor: 3722n,
        discountMinor: 372n,
        taxMinor: 721n,
        creditMinor: 500n,
        totalMinor: 3571n,
        taxes: [
          { name: "VAT", percent: "19", inclusive: false, baseMinor: 3350n, amountMinor: 637n },
          { name: "Levy", percent: "2.5", inclusive: false, baseMinor: 3350n, amountMinor: 84n },
        ],
      });
      expect(invoice?.lines.find((line) => line.discountId)?.discountId).toBe(discount?.id);
    }
    const rows = await harness.ownerDb.selectFrom("outbox_event").select(["type", "data"]).orderBy("id").execute();
    const told = rows.filter((row) => row.type.startsWith("invoice.")).map((row) => row.data);
    expect(told.map((data) => fromJsonString(EventDataSchema, data).invoice)).toEqual([draft, final]);
  });

  test("keeps them when the customer's rates change, the discount ends, and the credit is used up", async () => {
    const harness = await priced();
    const { clients } = harness;
    const taxRates = [{ name: "VAT", percent: "7", inclusive: true }];
    await clients.tenant.putCustomer({ customer: { id: "ann", taxRates } });
    await use(harness, "ann", "482", MAY);
    await grant(harness, "50");
    await harness.advanceTo(FINAL);
    const [final] = await listAllInvoices(clients);
    expect(final).toMatchObject({
      totalMinor: 0n,
      creditMinor: 3722n,
      state: InvoiceState.FINALIZED,
      taxes: [{ inclusive: true, baseMinor: 3479n, amountMinor: 243n }],
    });
    await clients.tenant.putCustomer({ customer: { id: "ann", taxRates: [{ name: "VAT", percent: "21" }] } });
    await harness.advanceTo("2015-07-01T01:00:00Z");
    const invoices = await listAllInvoices(clients);
    expect(invoices[0]).toEqual(final);
    expect(added(invoices[1])).toEqual(["VAT (21%) 420", "Paid with credit -1278"]);
    expect(await verified(harness)).toEqual([true, true]);
    await expectLedgerToAddUp(harness);
  });
});

describe("credits", () => {
  test("are drawn by priority, then by what expires first, then the oldest, and only in their currency", async () => {
    const harness = await priced();
    await use(harness, "ann", "482", MAY);
    const notes: [string, object][] = [
      ["oldest", {}],
      ["expires late", { expiresAt: at("2016-01-01T00:00:00Z") }],
      ["expires early", { expiresAt: at("2015-12-01T00:00:00Z") }],
      ["younger", {}],
      ["first", { priority: 1 }],
      ["last", { priority: 100, expiresAt: at("2015-07-01T00:00:00Z") }],
      ["other currency", { currency: "EUR", priority: 1 }],
      ["gone by then", { priority: 1, expiresAt: at(FINAL) }],
    ];
    for (const [note, more] of notes) await grant(harness, "7", { note, ...more });
    await grant(harness, "100", { priority: 1 }, "bob");
    await harness.advanceTo(FINAL);
    const [invoice] = await listAllInvoices(harness.clients);
    expect(invoice?.totalMinor).toBe(0n);
    expect(invoice?.lines.at(-1)?.steps.map((step) => `${step.description} ${step.amount}`)).toEqual([
      "first -7",
      "expires early -7",
      "expires late -7",
      "oldest -7",
      "younger -7",
      "last -2.22",
    ]);
    expect(await verified(harness)).toEqual([true]);
  });

  test("pay several invoices of a customer one after the other, in the order of their numbers", async () => {
    const harness = await priced();
    const { clients } = harness;
    await clients.pricing.pushCatalog({ catalog: { plans: [feeOfTen("side")] } });
    for (const name of ["pro", "side"]) await clients.pricing.startSubscription({ customerId: "ann", plan: name });
    await grant(harness, "25");
    await harness.advanceTo("2015-06-01T00:00:00Z");
    // As drafts each shows what it would draw if it were the first.
    expect((await listAllInvoices(clients)).map((invoice) => invoice.totalMinor)).toEqual([0n, 0n]);
    await harness.advanceTo(FINAL);
    expect((await listAllInvoices(clients)).map((invoice) => [invoice.number, invoice.totalMinor])).toEqual([
      ["INV-000001", 0n],
      ["INV-000002", 500n],
    ]);
    expect(await ledger(harness)).toEqual(["GRANTED 2500", "DRAWN -2000 INV-000001", "DRAWN -500 INV-000002"]);
    expect(await verified(harness)).toEqual([true, true]);
  });

  test("are spent once, whoever finalizes, returns and takes back at the same time", async () => {
    const harness = await priced();
    const { clients } = harness;
    const names = Array.from({ length: 6 }, (_, i) => `plan${i}`);
    await clients.pricing.pushCatalog({ catalog: { plans: names.map(feeOfTen) } });
    for (const plan of names) await clients.pricing.startSubscription({ customerId: "ann", plan });
    const ids = [await grant(harness, "12"), await grant(harness, "12"), await grant(harness, "12")];
    await harness.advanceTo("2015-06-01T00:00:00Z");
    const drafts = await listAllInvoices(clients);
    const api = await startApi(await harness.addApp());
    const both = [clients, createClients(api.url, harness.tenant.testKey)];
    const finalize = drafts.map(({ id }, i) => both[i % 2]?.invoice.finalizeInvoice({ id }));
    const [third] = ids.slice(2);
    await Promise.all([...finalize, clients.invoice.revokeCreditGrant({ id: third as string })]);
    await expectLedgerToAddUp(harness);
    const finals = await listAllInvoices(clients);
    const { creditEntries } = await clients.invoice.listCreditEntries({});
    const taken = creditEntries.filter((entry) => entry.amountMinor < 0n);
    expect(taken.reduce((sum, entry) => sum - entry.amountMinor, 0n)).toBe(3600n);
    const drawn = taken.filter((entry) => entry.kind === CreditEntryKind.DRAWN);
    expect(finals.reduce((sum, invoice) => sum + invoice.creditMinor, 0n)).toBe(
      drawn.reduce((sum, entry) => sum - entry.amountMinor, 0n),
    );
    await Promise.allSettled([
      ...finals.slice(0, 3).flatMap(({ id }) => both.map((one) => one.invoice.voidInvoice({ id, reason: "x" }))),
      ...ids.map((id) => clients.invoice.revokeCreditGrant({ id })),
    ]);
    await expectLedgerToAddUp(harness);
    const { creditGrants } = await clients.invoice.listCreditGrants({});
    expect(creditGrants.map((grant) => grant.remainingMinor)).toEqual([0n, 0n, 0n]);
    expect(await verified(harness)).toEqual(finals.map(() => true));
    await api.close();
  });
});

describe("voiding", () => {
  test("returns what was drawn, once, to be drawn again", async () => {
    const harness = await priced();
    const { clients } = harness;
    await use(harness, "ann", "482", MAY);
    await grant(harness, "30");
    await grant(harness, "30");
    await harness.advanceTo(FINAL);
    for (let i = 0; i < 2; i++) await clients.invoice.voidInvoice({ id: "INV-000001", reason: "x" });
    expect(await ledger(harness)).toEqual([
      "GRANTED 3000",
      "GRANTED 3000",
      "DRAWN -3000 INV-000001",
      "DRAWN -722 INV-000001",
      "RETURNED 3000 INV-000001",
      "RETURNED 722 INV-000001",
    ]);
    await harness.advanceTo("2015-07-01T01:00:00Z");
    expect((await ledger(harness)).slice(6)).toEqual(["DRAWN -2000 INV-000002"]);
    expect(await verified(harness)).toEqual([true, true]);
    await expectLedgerToAddUp(harness);
  });

  test("returns to a credit that has expired or was revoked since, and there it goes at once", async () => {
    const harness = await priced();
    const { clients } = harness;
    await use(harness, "ann", "482", MAY);
    await grant(harness, "1", { expiresAt: at("2015-06-02T00:00:00Z") });
    const id = await grant(harness, "2");
    await harness.advanceTo(FINAL);
    await clients.invoice.revokeCreditGrant({ id });
    await harness.advanceTo("2015-06-03T00:00:00Z");
    await clients.invoice.voidInvoice({ id: "INV-000001", reason: "x" });
    await harness.drain();
    expect((await ledger(harness)).slice(4)).toEqual([
      "RETURNED 100 INV-000001",
      "RETURNED 200 INV-000001",
      "REVOKED -200",
      "EXPIRED -100",
    ]);
    expect(await verified(harness)).toEqual([true]);
    await expectLedgerToAddUp(harness);
  });

  /** As a finalization of an invoice that comes to less than nothing does. */
  const granted = async () => {
    const harness = await billed();
    const { id, tenant_id } = await harness.ownerDb
      .selectFrom("invoice")
      .select(["id", "tenant_id"])
      .executeTakeFirstOrThrow();
    const credit = { customerId: "ann", currency: "USD", amountMinor: 500n, source: "INVOICE", invoiceId: id } as const;
    await inTenant(harness.app.db, tenant_id, (tx) => grantCredit(tx, tenant_id, credit, new Date(FINAL)));
    return harness;
  };

  test("takes back what the invoice granted", async () => {
    const harness = await granted();
    await harness.clients.invoice.voidInvoice({ id: "INV-000001", reason: "x" });
    expect(await ledger(harness)).toEqual(["GRANTED 500 INV-000001", "REVOKED -500 INV-000001"]);
    const { creditGrants } = await harness.clients.invoice.listCreditGrants({});
    expect(creditGrants).toMatchObject([{ remainingMinor: 0n, revokedAt: at(FINAL) }]);
  });

  test("is refused while what the invoice granted pays for another one", async () => {
    const harness = await granted();
    const { clients } = harness;
    await harness.advanceTo("2015-07-01T01:00:00Z");
    const voided = (id: string) => clients.invoice.voidInvoice({ id, reason: "x" });
    await expect(voided("INV-000001")).rejects.toThrow(/has paid for INV-000002; void that first/);
    expect(await refused(voided("INV-000001"))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    const { invoice } = await clients.invoice.getInvoice({ id: "INV-000001" });
    expect(invoice?.state).toBe(InvoiceState.FINALIZED);
    await voided("INV-000002");
    await voided("INV-000001");
    await expectLedgerToAddUp(harness);
  });
});
