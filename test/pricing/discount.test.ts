import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { type Invoice, InvoiceLineKind } from "../../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { use } from "../support/billing.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z: May is the open period.

const at = (time: string) => timestampFromDate(new Date(time));
const percent = (value: string) => ({ case: "percent", value }) as const;
const amount = (value: string) => ({ case: "amount", value }) as const;
const periods = (value: number) => ({ case: "periods", value }) as const;
const forEver = { case: "forEver", value: true } as const;

/** Ann pays 10 USD a month in advance, and 1 USD for each call in arrears. */
async function subscribed(currency = "USD"): Promise<Harness & { subscriptionId: string }> {
  const harness = await setup();
  const { clients } = harness;
  const seat = { key: "seat", flat: { amount: "10", timing: "FLAT_TIMING_IN_ADVANCE" } };
  const calls = { key: "calls", metric: "API_CALL", perUnit: { unitAmount: "1" } };
  const plan = { key: "pro", currency, period: "PERIOD_MONTHLY", prices: [seat, calls] };
  const metrics = [{ key: "API_CALL", aggregation: "AGGREGATION_SUM" }];
  await clients.pricing.pushCatalog({ catalog: fromJson(CatalogSchema, { metrics, plans: [plan] }) });
  const { subscription } = await clients.pricing.startSubscription({ customerId: "ann", plan: "pro" });
  return { ...harness, subscriptionId: subscription?.id ?? "" };
}

function discounted(invoice: Invoice): string {
  const kind = ["", "arrears", "advance"][invoice.kind];
  const month = invoice.periodStart && new Date(Number(invoice.periodStart.seconds) * 1_000).getUTCMonth() + 1;
  const lines = invoice.lines.filter((line) => line.kind === InvoiceLineKind.DISCOUNT);
  return [kind, month, ...lines.map((line) => line.amountMinor)].join(" ");
}

const found = async ({ clients }: Harness) => (await listAllInvoices(clients)).map(discounted);

describe("a discount", () => {
  test("once covers the open period alone, though what is final already keeps what it was", async () => {
    const harness = await subscribed();
    const { clients, subscriptionId } = harness;
    await harness.drain();
    const made = { subscriptionId, name: "Once", value: percent("50"), duration: periods(1) };
    const { discount } = await clients.pricing.createDiscount(made);
    expect(discount).toMatchObject({
      id: expect.stringMatching(/^dsc_[0-9A-Za-z]{22}$/),
      name: "Once",
      percent: "50",
      amount: "",
      currency: "USD",
      periods: 1,
      startsAt: at("2015-05-01"),
      endsAt: at("2015-06-01"),
      createdAt: at("2015-05-21"),
    });
    await use(harness, "ann", "8", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-06-02T00:00:00Z");
    expect(await found(harness)).toEqual(["advance 5", "arrears 5 -400", "advance 6"]);
  });

  test("of n periods covers the open one and those after it", async () => {
    const harness = await subscribed();
    const made = {
      subscriptionId: harness.subscriptionId,
      name: "Start",
      value: percent("12.5"),
      duration: periods(2),
    };
    const { discount } = await harness.clients.pricing.createDiscount(made);
    expect(discount?.endsAt).toEqual(at("2015-07-01"));
    await use(harness, "ann", "1", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-07-02T00:00:00Z");
    expect(await found(harness)).toEqual([
      "advance 5 -125",
      "arrears 5 -13",
      "advance 6 -125",
      "arrears 6",
      "advance 7",
    ]);
  });

  test("of an amount is once per period: what an invoice leaves is for the next one of the same period", async () => {
    const harness = await subscribed();
    const made = { subscriptionId: harness.subscriptionId, name: "Off", value: amount("12.00"), duration: forEver };
    const { discount } = await harness.clients.pricing.createDiscount(made);
    expect(discount).toMatchObject({ percent: "", amount: "12.00", currency: "USD", periods: 0 });
    expect(discount?.endsAt).toBeUndefined();
    await use(harness, "ann", "8", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-07-02T00:00:00Z");
    expect(await found(harness)).toEqual([
      "advance 5 -1000",
      "arrears 5 -200",
      "advance 6 -1000",
      "arrears 6",
      "advance 7 -1000",
    ]);
    const finals = await listAllInvoices(harness.clients);
    for (const { id } of finals) expect((await harness.clients.invoice.verifyInvoice({ id })).matches).toBe(true);
  });

  test("of an amount is free again when the invoice that used it is void", async () => {
    const harness = await subscribed();
    const { clients, subscriptionId } = harness;
    await clients.pricing.createDiscount({ subscriptionId, name: "Off", value: amount("12"), duration: forEver });
    await harness.drain();
    await clients.invoice.voidInvoice({ id: "INV-000001", reason: "x" });
    await use(harness, "ann", "20", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect((await found(harness)).slice(0, 2)).toEqual(["advance 5 -1000", "arrears 5 -1200"]);
  });

  test("is shared in turn by invoices of one period that become final at once", async () => {
    const harness = await subscribed();
    const { clients, subscriptionId } = harness;
    await clients.pricing.createDiscount({ subscriptionId, name: "Off", value: amount("12"), duration: forEver });
    await use(harness, "ann", "20", "2015-05-20T00:00:00Z");
    await harness.drain();
    // As if no worker had been there since the fee's draft was made.
    await harness.ownerDb.deleteFrom("invoice_line").execute();
    await harness.ownerDb.deleteFrom("invoice_document").execute();
    await harness.ownerDb.deleteFrom("invoice_change").execute();
    await harness.ownerDb.deleteFrom("invoice_counter").execute();
    await harness.ownerDb
      .updateTable("invoice")
      .set({ state: "DRAFT", finalize_at: new Date("2015-06-01T01:00:00Z") })
      .execute();
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect((await found(harness)).slice(0, 2).sort()).toEqual(["advance 5 -1000", "arrears 5 -200"]);
    const [first, second] = await listAllInvoices(clients);
    for (const invoice of [first, second]) {
      expect((await clients.invoice.verifyInvoice({ id: invoice?.id ?? "" })).matches).toBe(true);
    }
  });

  test("of an amount is once for a period that is cut, however many parts it has", async () => {
    const harness = await subscribed();
    const { clients, subscriptionId } = harness;
    const fee = { key: "fee", flat: { amount: "31" } };
    const plan = { key: "other", currency: "USD", period: "PERIOD_MONTHLY", prices: [fee] };
    await clients.pricing.pushCatalog({ catalog: fromJson(CatalogSchema, { plans: [plan] }) });
    await use(harness, "ann", "8", "2015-05-20T00:00:00Z");
    await clients.pricing.createDiscount({ subscriptionId, name: "Off", value: amount("20"), duration: periods(1) });
    await harness.drain();
    await clients.pricing.changeSubscription({ id: subscriptionId, plan: "other" });
    await harness.advanceTo("2015-07-02T00:00:00Z");
    const invoices = await listAllInvoices(clients);
    expect(invoices.map((invoice) => [invoice.plan, invoice.discountMinor])).toEqual([
      ["pro", 1000n],
      ["pro", 445n], // 8 calls, less 3.55 of the seat that come back
      ["other", 555n],
      ["other", 0n],
    ]);
    for (const { id } of invoices) expect((await clients.invoice.verifyInvoice({ id })).matches).toBe(true);
  });

  test("comes after those that were made before it, and takes of what they left", async () => {
    const harness = await subscribed();
    const { clients, subscriptionId } = harness;
    const values = [amount("4"), percent("50"), amount("100")];
    for (const value of values) {
      await clients.pricing.createDiscount({ subscriptionId, name: "Off", value, duration: forEver });
    }
    await harness.drain();
    expect(await found(harness)).toEqual(["advance 5 -400 -300 -300"]);
    expect((await listAllInvoices(clients))[0]?.totalMinor).toBe(0n);
  });
});

describe("ending a discount", () => {
  const ended = async (atOnce: boolean, months = 12) => {
    const harness = await subscribed();
    const { clients, subscriptionId } = harness;
    await harness.drain();
    const made = { subscriptionId, name: "Off", value: percent("10"), duration: periods(months) };
    const { discount } = await clients.pricing.createDiscount(made);
    await use(harness, "ann", "10", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-05-25T00:00:00Z");
    const answer = await clients.pricing.endDiscount({ id: discount?.id ?? "", atOnce });
    expect(await clients.pricing.endDiscount({ id: discount?.id ?? "" })).toEqual(answer);
    expect((await clients.pricing.listDiscounts({ subscriptionId })).discounts).toEqual([answer.discount]);
    await harness.advanceTo("2015-06-02T00:00:00Z");
    return { endsAt: answer.discount?.endsAt, found: await found(harness) };
  };

  test("leaves it to the open period", async () => {
    expect(await ended(false)).toEqual({
      endsAt: at("2015-06-01"),
      found: ["advance 5", "arrears 5 -100", "advance 6"],
    });
  });

  test("at once takes it from every invoice that is not final", async () => {
    expect(await ended(true)).toEqual({ endsAt: at("2015-05-01"), found: ["advance 5", "arrears 5", "advance 6"] });
  });
});

test("a discount that says nothing, too much, or is for nothing that goes on, is refused", async () => {
  const { clients, subscriptionId, advanceTo } = await subscribed("JPY");
  const good = { subscriptionId, name: "Off", value: percent("10"), duration: periods(1) };
  for (const [wrong, field] of [
    [{ value: percent("0") }, "percent"],
    [{ value: percent("0.00") }, "percent"],
    [{ value: percent("100.5") }, "percent"],
    [{ value: percent("-1") }, "percent"],
    [{ value: amount("0") }, "amount"],
    [{ value: amount("1.5") }, "amount"],
    [{ value: { case: undefined } }, "value"],
    [{ duration: { case: undefined } }, "duration"],
    [{ duration: periods(0) }, "periods"],
    [{ duration: { case: "forEver", value: false } }, "for_ever"],
    [{ name: "" }, "name"],
  ] as const) {
    expect(await refused(clients.pricing.createDiscount({ ...good, ...wrong }))).toMatchObject({
      reason: ErrorReason.INVALID_FIELD,
      field,
    });
  }
  const unknown = { ...good, subscriptionId: "sub_0000000000000000000000" };
  expect(await refused(clients.pricing.createDiscount(unknown))).toMatchObject({ code: Code.NotFound });
  expect(await refused(clients.pricing.endDiscount({ id: "dsc_0000000000000000000000" }))).toMatchObject({
    code: Code.NotFound,
  });
  await clients.pricing.endSubscription({ id: subscriptionId });
  await advanceTo("2015-06-02T00:00:00Z");
  expect(await refused(clients.pricing.createDiscount(good))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
  expect((await clients.pricing.listDiscounts({})).discounts).toEqual([]);
});
