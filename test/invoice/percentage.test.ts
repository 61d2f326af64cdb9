import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour.

const catalog = fromJson(CatalogSchema, {
  metrics: [
    { key: "PAID", name: "Payments", unit: "USD", aggregation: "AGGREGATION_SUM" },
    { key: "CALLS", aggregation: "AGGREGATION_SUM" },
  ],
  plans: [
    {
      key: "pay",
      name: "Pay",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      minimumAmount: "25.00",
      prices: [
        { key: "seat", flat: { amount: "9.00", timing: "FLAT_TIMING_IN_ADVANCE" } },
        {
          key: "payments",
          name: "Payments",
          metric: "PAID",
          percentage: { percent: "2.9", fixedAmount: "0.30", freeAmount: "100", minPerEvent: "0.50", maxPerEvent: "8" },
        },
        {
          key: "calls",
          metric: "CALLS",
          perUnit: { unitAmount: "0.01" },
          includedQuantity: "100",
          minimumAmount: "2",
          maximumAmount: "4",
        },
      ],
    },
    {
      key: "committed",
      currency: "JPY",
      period: "PERIOD_MONTHLY",
      minimumAmount: "1000",
      prices: [{ key: "seat", flat: { amount: "300", timing: "FLAT_TIMING_IN_ADVANCE" } }],
    },
  ],
});

async function subscribed(customers: readonly string[], plan = "pay"): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  for (const customerId of customers) await harness.clients.pricing.startSubscription({ customerId, plan });
  return harness;
}

/** Payments of a customer in the order in which they are sent: day of May, key, amount. */
async function pay({ clients }: Harness, customerId: string, ...payments: [number, string, string][]): Promise<void> {
  const events = payments.map(([day, idempotencyKey, amount]) => ({
    metric: "PAID",
    amount,
    customerId,
    idempotencyKey,
    occurredAt: timestampFromDate(new Date(Date.UTC(2015, 4, day))),
  }));
  await clients.usage.trackUsage({ events });
}

/** The lines in arrears of a customer: price, quantity, exact amount, minor units. */
async function linesOf({ clients }: Harness, customerId: string) {
  const invoices = await listAllInvoices(clients);
  const isUsage = (invoice: Invoice) => invoice.customerId === customerId && invoice.lines[0]?.priceKey !== "seat";
  const [invoice] = invoices.filter(isUsage);
  return invoice?.lines.map((line) => [line.priceKey, line.quantity, line.exactAmount, line.amountMinor]);
}

describe("an invoice of a plan with a percentage and a minimum", () => {
  test("prices each event in the order in which they occurred, whatever the order they came in", async () => {
    const harness = await subscribed(["ann", "bob", "cat"]);
    // By time: 60 and 40 are free together, 30 owes 1.17, 1 its minimum of 0.50, 1,000 its maximum of 8.
    await pay(harness, "ann", [14, "a-4", "1"], [11, "a-1", "60"], [15, "a-5", "1000"]);
    await pay(harness, "ann", [13, "a-3", "30"], [12, "a-2", "40"], [11, "a-1", "60"]); // the last is a duplicate
    await pay(harness, "bob", [11, "b-1", "130.00"]); // 30 of it are beyond the free amount
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await linesOf(harness, "ann")).toEqual([
      ["payments", "1131", "9.67", 967n],
      ["calls", "0", "2", 200n],
      ["minimum", "1", "13.33", 1333n],
    ]);
    expect(await linesOf(harness, "bob")).toMatchObject([["payments", "130", "1.17", 117n], {}, {}]);
    expect(await linesOf(harness, "cat")).toEqual([
      ["payments", "0", "0", 0n],
      ["calls", "0", "2", 200n],
      ["minimum", "1", "23", 2300n],
    ]);
    const totals = (await listAllInvoices(harness.clients)).map((invoice) => invoice.totalMinor);
    expect(totals.filter((total) => total !== 900n)).toEqual([2500n, 2500n, 2500n]);
  });

  test("explains itself", async () => {
    const harness = await subscribed(["ann"]);
    await pay(harness, "ann", [11, "1", "130"], [12, "2", "1"]);
    await harness.clients.usage.trackUsage({ events: [{ metric: "CALLS", amount: "900", customerId: "ann" }] });
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const invoice = (await listAllInvoices(harness.clients)).find(({ lines }) => lines[0]?.priceKey === "payments");
    const steps = invoice?.lines.map((line) => [
      line.description,
      ...line.steps.map((step) => `${step.description}: ${step.quantity} x ${step.unitAmount} = ${step.amount}`),
    ]);
    expect(steps).toEqual([
      [
        "Payments: 131 USD",
        "free amount: 100 x 0 = 0",
        "2.9% of the amount: 31 x 0.029 = 0.899",
        "fixed amount per event: 2 x 0.3 = 0.6",
        "up to the minimum of 0.5 in 1 event: 1 x 0.171 = 0.171",
      ],
      ["calls: 900 units", "included: 100 x 0 = 0", "units: 800 x 0.01 = 8", "down to the maximum of 4: 1 x -4 = -4"],
      [
        "Pay: up to the minimum of 25",
        "minimum of the plan: 1 x 25 = 25",
        "billed by the other lines: 1 x -5.67 = -5.67",
      ],
    ]);
  });

  test("counts an event when it is folded, so that the number of the fold stays true", async () => {
    const harness = await subscribed(["ann"]);
    await harness.advanceTo("2015-06-01T00:30:00Z");
    await pay(harness, "ann", [11, "1", "150"]);
    expect((await linesOf(harness, "ann"))?.[0]).toEqual(["payments", "0", "0", 0n]);
    await harness.drain();
    expect((await linesOf(harness, "ann"))?.[0]).toEqual(["payments", "150", "1.75", 175n]);
    const draft = await linesOf(harness, "ann");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await linesOf(harness, "ann")).toEqual(draft);
  });

  test("is made for a minimum alone, beside fees in advance", async () => {
    const harness = await subscribed(["ann"], "committed");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const invoices = await listAllInvoices(harness.clients);
    expect(invoices.map(({ lines, currency }) => [lines[0]?.priceKey, lines[0]?.amountMinor, currency])).toEqual([
      ["seat", 300n, "JPY"],
      ["minimum", 1000n, "JPY"],
      ["seat", 300n, "JPY"],
    ]);
  });
});
