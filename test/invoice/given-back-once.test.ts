import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { CreditNoteSettlement } from "../../gen/usageflow/v1/credit_note_pb.ts";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { billed } from "../support/billing.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { mismatches, offered, started } from "../support/subscriptions.ts";

// Two ways to give something back: a credit note, and a period that is priced again and costs less.

function note({ clients }: Harness, amountMinor?: bigint, invoiceId = "INV-000001") {
  const scope =
    amountMinor === undefined
      ? ({ case: "full", value: true } as const)
      : ({ case: "amountMinor", value: amountMinor } as const);
  const settlement = CreditNoteSettlement.REFUND;
  return clients.invoice.createCreditNote({ invoiceId, scope, reason: "agreed", settlement });
}

function noteLine({ clients }: Harness, invoiceId: string, position: number) {
  const scope = { case: "lines" as const, value: { lines: [{ position }] } };
  return clients.invoice.createCreditNote({ invoiceId, scope, reason: "agreed" });
}

/** What later invoices say of earlier periods. */
async function adjusted({ clients }: Harness): Promise<string[]> {
  return (await listAllInvoices(clients)).flatMap(({ number, lines }) =>
    lines
      .filter((line) => line.adjustedInvoiceId !== "")
      .map((line) => `${number || "draft"} of ${line.adjustedInvoiceNumber}: ${line.amountMinor}`),
  );
}

/** 31.00 for May in advance are paid; on the 21st nothing else happened. */
async function paidAdvance() {
  const harness = await offered();
  const id = await started(harness, "seats", { startAt: "2015-05-01T00:00:00Z" });
  await harness.clients.invoice.markInvoicePaid({ id: "INV-000001" });
  const end = () => harness.clients.pricing.endSubscription({ id, timing: ChangeTiming.NOW });
  return { ...harness, id, end };
}

/** Reports calls of ann in May. */
async function calls({ clients }: Harness, idempotencyKey: string, amount: string) {
  const occurredAt = timestampFromDate(new Date("2015-05-20T00:00:00Z"));
  const event = { metric: "API_CALL", amount, customerId: "ann", idempotencyKey, occurredAt };
  await clients.usage.trackUsage({ events: [event], backfill: true });
}

describe("a period that costs less after a credit note", () => {
  test("gives nothing back of what a full note took back, and says so", async () => {
    const harness = await paidAdvance();
    await note(harness);
    await harness.end();
    await harness.advanceTo("2015-05-21T02:00:00Z");
    const [, adjustment] = await listAllInvoices(harness.clients);
    expect(adjustment?.lines).toMatchObject([
      {
        amountMinor: 0n,
        exactAmount: "0",
        description:
          "Changes in 2015-05-01 to 2015-06-01: 20.00 instead of 31.00, of which credit notes took back 31.00",
      },
    ]);
    expect(adjustment?.lines[0]?.steps.map((step) => [step.amount, step.invoiceNumber, step.creditNoteNumber])).toEqual(
      [
        ["20", "", ""],
        ["-31", "INV-000001", ""],
        ["31", "", "CN-000001"],
        ["-20", "", ""],
      ],
    );
    expect((await harness.clients.invoice.listCreditGrants({})).creditGrants).toEqual([]);
    expect(await mismatches(harness)).toEqual([]);
  });

  test.each([
    [[500], -1100], // goodwill, which changes nothing as long as enough is left
    [[2_000], -1100],
    [[1_000, 1_500], -600],
    [[3_099], -1],
  ])("gives back what notes of %j left", async (amounts, given) => {
    const harness = await paidAdvance();
    for (const amount of amounts) await note(harness, BigInt(amount));
    await harness.end();
    await harness.advanceTo("2015-05-21T02:00:00Z");
    expect(await adjusted(harness)).toEqual([`INV-000002 of INV-000001: ${given}`]);
    expect(await refused(note(harness, 3_100n))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    const taken = amounts.reduce((sum, amount) => sum + amount);
    const rest = BigInt(3_100 - taken + given);
    if (rest > 0n) expect((await note(harness)).creditNote?.amountMinor).toBe(rest);
    expect(await refused(note(harness, 1n))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    expect(await mismatches(harness)).toEqual([]);
  });

  test("gives nothing back of voided usage after a full note; what is added later is billed as ever", async () => {
    const harness = await billed();
    await calls(harness, "wrong", "100");
    await harness.advanceTo("2015-07-01T01:00:00Z");
    await note(harness);
    await note(harness, undefined, "INV-000002"); // 20.00 of its own, and what the 100 calls cost
    await harness.clients.usage.voidUsage({ idempotencyKeys: ["wrong"], reason: "a test" });
    await harness.advanceTo("2015-08-01T01:00:00Z");
    await calls(harness, "more", "200");
    await harness.advanceTo("2015-09-01T01:00:00Z");
    expect(await adjusted(harness)).toEqual([
      "INV-000002 of INV-000001: 333",
      "INV-000003 of INV-000001: 0",
      "INV-000004 of INV-000001: 333",
    ]);
    expect(await mismatches(harness)).toEqual([]);
  });

  test("gives nothing back that a note took of the line for late usage itself", async () => {
    const harness = await billed();
    await calls(harness, "wrong", "10");
    await harness.advanceTo("2015-07-01T01:00:00Z");
    const [, june] = await listAllInvoices(harness.clients);
    const position = (june?.lines.findIndex((line) => line.adjustedInvoiceId !== "") ?? 0) + 1;
    await noteLine(harness, "INV-000002", position);
    await note(harness, 3_700n); // 0.22 of May is left
    await harness.clients.usage.voidUsage({ idempotencyKeys: ["wrong"], reason: "a test" });
    await harness.advanceTo("2015-08-01T01:00:00Z");
    expect(await adjusted(harness)).toEqual(["INV-000002 of INV-000001: 33", "INV-000003 of INV-000001: -22"]);
    expect(await refused(note(harness))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    expect(await refused(noteLine(harness, "INV-000001", 1))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    expect(await mismatches(harness)).toEqual([]);
  });

  test("keeps the invoice from being voided that billed what was given back", async () => {
    const harness = await billed();
    await calls(harness, "wrong", "10");
    await harness.advanceTo("2015-07-01T01:00:00Z");
    await note(harness);
    await harness.clients.usage.voidUsage({ idempotencyKeys: ["wrong"], reason: "a test" });
    await harness.advanceTo("2015-08-01T01:00:00Z");
    expect(await adjusted(harness)).toEqual(["INV-000002 of INV-000001: 33", "INV-000003 of INV-000001: -33"]);
    const voided = (id: string) => harness.clients.invoice.voidInvoice({ id, reason: "a mistake" });
    await expect(voided("INV-000002")).rejects.toThrow("what it billed for INV-000001 was given back already");
    await voided("INV-000003");
    await voided("INV-000002");
    await harness.advanceTo("2015-09-01T01:00:00Z");
    expect((await adjusted(harness)).at(-1)).toBe("INV-000004 of INV-000001: 0");
    expect(await mismatches(harness)).toEqual([]);
  });
});

describe("a credit note after a period cost less", () => {
  test("takes what is left, in full or by an amount, and refuses more", async () => {
    const harness = await paidAdvance();
    await harness.end();
    await harness.advanceTo("2015-05-21T02:00:00Z");
    expect(await adjusted(harness)).toEqual(["INV-000002 of INV-000001: -1100"]);
    await expect(note(harness, 2_001n)).rejects.toThrow(
      "this comes to 20.01 USD; only 20.00 USD is left to take back of the invoice, as INV-000002 gave back a part",
    );
    await expect(noteLine(harness, "INV-000001", 1)).rejects.toThrow(
      "this comes to 31.00 USD; only 20.00 USD is left to take back of the invoice, as INV-000002 gave back a part",
    );
    await note(harness, 500n);
    expect((await note(harness)).creditNote).toMatchObject({ amountMinor: 1_500n, refundedMinor: 1_500n });
    await expect(note(harness)).rejects.toThrow("nothing is left to take back of the invoice, as INV-000002 gave");
    expect(await mismatches(harness)).toEqual([]);
  });

  test("takes all where the invoice that gave back is void; that gives back no more then", async () => {
    const harness = await paidAdvance();
    await harness.end();
    await harness.advanceTo("2015-05-21T02:00:00Z");
    await harness.clients.invoice.voidInvoice({ id: "INV-000002", reason: "a mistake" });
    expect((await note(harness)).creditNote?.amountMinor).toBe(3_100n);
    await harness.advanceTo("2015-05-22T02:00:00Z");
    expect(await adjusted(harness)).toEqual(["INV-000002 of INV-000001: -1100", "INV-000003 of INV-000001: 0"]);
    expect(await mismatches(harness)).toEqual([]);
  });

  test("counts with discount and tax: of the amount, the share of the charges that are left", async () => {
    const harness = await offered();
    const { clients } = harness;
    await clients.tenant.putCustomer({ customer: { id: "ann", taxRates: [{ name: "VAT", percent: "19" }] } });
    const { subscription } = await clients.pricing.startSubscription({ customerId: "ann", plan: "seats" });
    const subscriptionId = subscription?.id ?? "";
    const value = { case: "percent", value: "10" } as const;
    const duration = { case: "forEver", value: true } as const;
    await clients.pricing.createDiscount({ subscriptionId, name: "Offer", value, duration });
    await harness.drain();
    await clients.pricing.endSubscription({ id: subscriptionId, timing: ChangeTiming.NOW });
    await harness.advanceTo("2015-05-21T02:00:00Z");
    // 33.20 were billed; 11.78 came back with 11.00 of 31.00.
    const { creditNote } = await note(harness);
    expect(creditNote?.amountMinor).toBe(2_141n); // 33.20 * 20 / 31
    expect(await refused(note(harness, 1n))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    expect(await mismatches(harness)).toEqual([]);
  });

  test("takes no more than is still paid, where a fixed discount was not taken off of what came back", async () => {
    const harness = await offered();
    const { clients } = harness;
    const { subscription } = await clients.pricing.startSubscription({ customerId: "ann", plan: "seats" });
    const subscriptionId = subscription?.id ?? "";
    const value = { case: "amount", value: "7" } as const;
    const duration = { case: "forEver", value: true } as const;
    await clients.pricing.createDiscount({ subscriptionId, name: "Offer", value, duration });
    await harness.drain();
    await clients.pricing.endSubscription({ id: subscriptionId, timing: ChangeTiming.NOW });
    await harness.advanceTo("2015-05-21T02:00:00Z");
    expect((await note(harness)).creditNote?.amountMinor).toBe(1_300n); // of 24.00, after 11.00
    expect(await mismatches(harness)).toEqual([]);
  });

  test("and the invoice that gives back, at once: what one took is not there for the other", async () => {
    for (let round = 0; round < 3; round++) {
      const harness = await paidAdvance();
      await harness.end();
      await harness.drain();
      const draft = (await listAllInvoices(harness.clients)).at(-1);
      await Promise.all([note(harness), harness.clients.invoice.finalizeInvoice({ id: draft?.id ?? "" })]);
      const { creditNotes } = await harness.clients.invoice.listCreditNotes({});
      const final = (await listAllInvoices(harness.clients)).at(-1);
      expect((creditNotes[0]?.amountMinor ?? 0n) - (final?.lines[0]?.amountMinor ?? 0n)).toBe(3_100n);
      expect(await mismatches(harness)).toEqual([]);
    }
  });
});
