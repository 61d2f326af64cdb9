import { create, fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { Aggregation, CatalogSchema, MetricSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UnbilledReason, UsageState } from "../../gen/usageflow/v1/usage_pb.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z.

const catalog = fromJson(CatalogSchema, {
  metrics: [
    { key: "CALL", name: "Calls", aggregation: "AGGREGATION_SUM", dimensions: ["region", "model"] },
    { key: "PAID", aggregation: "AGGREGATION_SUM", dimensions: ["method"] },
    { key: "DISK", unit: "GB", aggregation: "AGGREGATION_WEIGHTED_SUM", dimensions: ["tier"], carryOver: true },
    { key: "PEAK", aggregation: "AGGREGATION_LATEST" },
  ],
  plans: [
    {
      key: "pro",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: [
        {
          key: "europe",
          name: "Calls in Europe",
          metric: "CALL",
          perUnit: { unitAmount: "2" },
          filter: [{ property: "region", in: { values: ["eu", "uk"] } }],
        },
        {
          key: "models",
          name: "Calls",
          metric: "CALL",
          filter: [{ property: "region", equals: "us" }],
          groupBy: ["model", "region"],
          graduated: { tiers: [{ upTo: "10", unitAmount: "1" }, { unitAmount: "0.5" }] },
          includedQuantity: "1",
          minimumAmount: "3",
        },
        {
          key: "payments",
          name: "Payments",
          metric: "PAID",
          groupBy: ["method"],
          percentage: { percent: "1", fixedAmount: "0.10", freeEvents: 1 },
        },
        { key: "disk", name: "Disk", metric: "DISK", groupBy: ["tier"], perUnit: { unitAmount: "1" } },
        { key: "peak", name: "Peak", metric: "PEAK", perUnit: { unitAmount: "1" } },
      ],
    },
  ],
  defaultPlan: "pro",
});

interface Sent {
  metric: string;
  amount: string;
  properties?: Record<string, string>;
  at?: string;
}

async function priced(...sent: Sent[]): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  await harness.clients.usage.trackUsage({
    events: sent.map(({ metric, amount, properties = {}, at = "2015-05-20T00:00:00Z" }, i) => ({
      ...{ metric, amount, properties, customerId: "ann", idempotencyKey: `${i}` },
      occurredAt: timestampFromDate(new Date(at)),
    })),
  });
  return harness;
}

async function billed(harness: Harness): Promise<Invoice> {
  await harness.advanceTo("2015-06-01T01:00:00Z");
  const [invoice] = await listAllInvoices(harness.clients);
  return invoice as Invoice;
}

const linesOf = (invoice: Invoice, priceKey: string) =>
  invoice.lines
    .filter((line) => line.priceKey === priceKey)
    .map(({ description, quantity, amountMinor, dimensions }) => [description, quantity, amountMinor, dimensions]);

const call = (amount: string, region?: string, model?: string): Sent => ({
  metric: "CALL",
  amount,
  properties: { ...(region && { region }), ...(model && { model }), other: "x" },
});

describe("a price", () => {
  test("bills what its filter lets through, and each group of it by itself, in the order of their values", async () => {
    const harness = await priced(
      call("3", "eu", "large"),
      call("4", "uk"),
      call("100", "asia"),
      call("100"),
      call("21", "us", "small"),
      call("2", "us"),
      call("6", "us", "Big"),
      call("5", "us", "Big"),
    );
    const invoice = await billed(harness);
    expect(linesOf(invoice, "europe")).toEqual([["Calls in Europe: 7 units", "7", 1400n, {}]]);
    // The unit that is included, the tiers and the minimum hold for each line.
    expect(linesOf(invoice, "models")).toEqual([
      ["Calls (no model, region us): 2 units", "2", 300n, { model: "", region: "us" }],
      ["Calls (model Big, region us): 11 units", "11", 1000n, { model: "Big", region: "us" }],
      ["Calls (model small, region us): 21 units", "21", 1500n, { model: "small", region: "us" }],
    ]);
    const { matches, lines } = await harness.clients.invoice.verifyInvoice({ id: invoice.id });
    expect([matches, lines.map((line) => line.matches)]).toEqual([true, invoice.lines.map(() => true)]);
  });

  test("without usage has one line, in which its minimum is owed", async () => {
    const invoice = await billed(await priced(call("1", "eu")));
    expect(linesOf(invoice, "models")).toEqual([["Calls: 0 units", "0", 300n, {}]]);
    expect(linesOf(invoice, "payments")).toEqual([["Payments: 0 units", "0", 0n, {}]]);
    expect(linesOf(invoice, "peak")).toEqual([["Peak: 0 units", "0", 0n, {}]]);
  });

  test("of single events counts those of each group, with free ones of their own", async () => {
    const paid = (amount: string, method: string, at?: string): Sent => ({
      metric: "PAID",
      amount,
      properties: { method },
      ...(at && { at }),
    });
    const harness = await priced(
      paid("100", "card", "2015-05-20T00:00:01Z"),
      paid("200", "card"),
      paid("1000", "bank"),
      paid("10", "card", "2015-05-20T00:00:02Z"),
    );
    const invoice = await billed(harness);
    expect(linesOf(invoice, "payments")).toEqual([
      ["Payments (method bank): 1000 units", "1000", 0n, { method: "bank" }],
      ["Payments (method card): 310 units", "310", 130n, { method: "card" }], // 1.10 + 0.20; the first, of 200, is free
    ]);
    expect(await harness.clients.invoice.verifyInvoice({ id: invoice.id })).toMatchObject({ matches: true });
  });

  test("of a level takes what is carried over, and nothing for less than nothing", async () => {
    const disk = (amount: string, tier: string, at: string): Sent => ({
      metric: "DISK",
      amount,
      properties: { tier },
      at,
    });
    const harness = await priced(
      disk("10", "hot", "2015-04-20T00:00:00Z"),
      disk("31", "cold", "2015-05-20T00:00:00Z"),
      disk("-5", "lost", "2015-05-01T00:00:00Z"),
      disk("7", "gone", "2015-04-20T00:00:00Z"),
      disk("-7", "gone", "2015-04-21T00:00:00Z"),
      { metric: "PEAK", amount: "7", at: "2015-05-20T00:00:00Z" },
      { metric: "PEAK", amount: "5", at: "2015-05-20T00:00:00.001Z" },
      { metric: "PEAK", amount: "9", at: "2015-05-19T00:00:00Z" },
    );
    const invoice = await billed(harness);
    expect(linesOf(invoice, "disk")).toEqual([
      ["Disk (tier cold): 12 GB", "12", 1200n, { tier: "cold" }],
      ["Disk (tier hot): 10 GB", "10", 1000n, { tier: "hot" }],
      ["Disk (tier lost): -5 GB, priced as 0", "-5", 0n, { tier: "lost" }],
    ]);
    expect(linesOf(invoice, "peak")).toEqual([["Peak: 5 units", "5", 500n, {}]]);
    expect(await harness.clients.invoice.verifyInvoice({ id: invoice.id })).toMatchObject({ matches: true });
  });
});

test("usage that no filter lets through is told to be on no bill", async () => {
  const { clients, drain } = await priced(call("3", "eu"), call("100", "asia"), call("50"));
  await drain();
  const explain = (idempotencyKey: string) => clients.usage.explainUsageEvent({ idempotencyKey });
  expect(await explain("0")).toMatchObject({ state: UsageState.OPEN, billings: [{ priceKey: "europe" }] });
  const unbilled = {
    state: UsageState.UNBILLED,
    unbilledReason: UnbilledReason.NO_PRICE,
    billings: [{ priceKey: "" }],
  };
  expect(await explain("1")).toMatchObject(unbilled);
  expect(await explain("2")).toMatchObject(unbilled);
  const { unbilledUsage } = await clients.usage.listUnbilledUsage({});
  expect(unbilledUsage).toMatchObject([
    { metric: "CALL", reason: UnbilledReason.NO_PRICE, quantity: "150", eventCount: 2n },
  ]);
});

test("what a metric tells apart is frozen once it has usage, and told with its path", async () => {
  const { clients } = await priced(call("3", "eu"));
  const push = (metric: Parameters<typeof create<typeof MetricSchema>>[1]) =>
    refused(clients.pricing.pushCatalog({ catalog: { metrics: [create(MetricSchema, metric)] } }));
  const { SUM, WEIGHTED_SUM } = Aggregation;
  const calls = { key: "CALL", name: "Calls", aggregation: SUM };
  const frozen = { reason: ErrorReason.INVALID_CATALOG, field: "catalog.metrics[0].dimensions" };
  expect(await push({ ...calls, dimensions: ["region"] })).toMatchObject(frozen);
  expect(await push({ ...calls, dimensions: ["model", "region"] })).toMatchObject(frozen);
  expect(await push({ ...calls, dimensions: ["region", "model", "size"] })).toMatchObject(frozen);
  expect(await push({ ...calls, name: "Other", dimensions: ["region", "model"] })).toBeUndefined();
  const disk = { key: "DISK", unit: "GB", aggregation: WEIGHTED_SUM, dimensions: ["tier"] };
  expect(await push({ ...disk, carryOver: false })).toBeUndefined(); // it has none yet
  expect(await push({ key: "NEW", aggregation: SUM, carryOver: true })).toMatchObject({
    reason: ErrorReason.INVALID_FIELD,
  });
  expect(await push({ key: "NEW", aggregation: SUM, dimensions: ["a", "a"] })).toMatchObject({
    field: "catalog.metrics[0].dimensions",
  });
});
