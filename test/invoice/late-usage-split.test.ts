import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { InvoiceLineKind } from "../../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";

// The promise about late usage: a quantity costs the same however it is split over on time, late, later, and taken back.

const prices = [
  {
    key: "tiers",
    metric: "TIERS",
    graduated: {
      tiers: [
        { upTo: "10", unitAmount: "1" },
        { unitAmount: "0.333", flatAmount: "5" },
      ],
    },
  },
  // A cliff: six cost less than five, so a difference may be negative.
  { key: "cliff", metric: "CLIFF", volume: { tiers: [{ upTo: "5", unitAmount: "4" }, { unitAmount: "0.25" }] } },
  { key: "packages", metric: "PACKAGES", package: { size: "7", amount: "3.50" } },
  { key: "peak", metric: "PEAK", perUnit: { unitAmount: "0.105" } },
  { key: "users", metric: "USERS", perUnit: { unitAmount: "2" }, includedQuantity: "1" },
  {
    key: "share",
    metric: "SHARE",
    percentage: { percent: "2.9", fixedAmount: "0.30", freeEvents: 1, freeAmount: "5" },
  },
  { key: "groups", metric: "GROUPS", groupBy: ["user"], perUnit: { unitAmount: "0.07" }, maximumAmount: "1" },
  { key: "last", metric: "LAST", perUnit: { unitAmount: "0.5" } },
  // A level of one month is that of the next: what comes late for May changes June too.
  { key: "level", metric: "LEVEL", perUnit: { unitAmount: "0.9" } },
];
const plan = { currency: "USD", period: "PERIOD_MONTHLY", prices };
const catalog = fromJson(CatalogSchema, {
  metrics: [
    { key: "TIERS", aggregation: "AGGREGATION_SUM" },
    { key: "CLIFF", aggregation: "AGGREGATION_COUNT" },
    { key: "PACKAGES", aggregation: "AGGREGATION_SUM" },
    { key: "PEAK", aggregation: "AGGREGATION_MAX" },
    { key: "USERS", aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "user" },
    { key: "SHARE", aggregation: "AGGREGATION_SUM" },
    { key: "GROUPS", aggregation: "AGGREGATION_SUM", dimensions: ["user"] },
    { key: "LAST", aggregation: "AGGREGATION_LATEST" },
    { key: "LEVEL", aggregation: "AGGREGATION_WEIGHTED_SUM", carryOver: true },
  ],
  plans: [
    { ...plan, key: "plain" },
    { ...plan, key: "least", minimumAmount: "40" },
  ],
});

const ROUNDS = ["2015-06-01T01:00:00Z", "2015-07-01T01:00:00Z", "2015-08-01T01:00:00Z", "2015-09-01T01:00:00Z"];
const round = fc.nat({ max: ROUNDS.length - 2 });
const sample = fc.record({
  plan: fc.constantFrom("plain", "least"),
  events: fc.array(
    fc.record({
      metric: fc.constantFrom(
        "TIERS",
        "CLIFF",
        "CLIFF",
        "PACKAGES",
        "PEAK",
        "USERS",
        "SHARE",
        "GROUPS",
        "LAST",
        "LEVEL",
      ),
      amount: fc.nat({ max: 60 }).map((quarters) => String(quarters / 4)),
      user: fc.constantFrom("x", "y", "z"),
      hour: fc.nat({ max: 5 }),
      sentIn: round,
      /** In a round after it was sent, or the same; null: it stays. */
      voidedIn: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 2, arbitrary: round }),
    }),
    { minLength: 10, maxLength: 80 },
  ),
});

test("a quantity costs the same however it is split over on time and late, with voids between", {
  timeout: 180_000,
}, async () => {
  const harness: Harness = await setup();
  const { clients } = harness;
  await clients.pricing.pushCatalog({ catalog });
  const samples = fc.sample(sample, { numRuns: 10, seed: 11 });
  const events = samples.flatMap(({ events }, customer) =>
    events.map(({ voidedIn, ...event }, i) => ({
      ...event,
      customer,
      key: `${customer} ${i}`,
      voidedIn: voidedIn === null ? null : Math.max(voidedIn, event.sentIn),
    })),
  );
  for (const [i, { plan }] of samples.entries()) {
    for (const way of ["split", "whole"]) await clients.pricing.startSubscription({ customerId: `${way} ${i}`, plan });
  }
  const send = async (way: string, some: typeof events) => {
    const sent = some.map(({ metric, amount, user, hour, customer, key }) => ({
      metric,
      amount,
      customerId: `${way} ${customer}`,
      idempotencyKey: `${way} ${key}`,
      occurredAt: timestampFromDate(new Date(Date.UTC(2015, 4, 20, hour, Number(key.split(" ")[1])))),
      properties: { user },
    }));
    for (let from = 0; from < sent.length; from += 1_000) {
      await clients.usage.trackUsage({ events: sent.slice(from, from + 1_000), backfill: true });
    }
  };
  await send(
    "whole",
    events.filter((event) => event.voidedIn === null),
  );
  for (const [round, end] of ROUNDS.entries()) {
    await send(
      "split",
      events.filter((event) => event.sentIn === round),
    );
    const voided = events.filter((event) => event.voidedIn === round).map(({ key }) => `split ${key}`);
    if (voided.length > 0) await clients.usage.voidUsage({ idempotencyKeys: voided, reason: "a test" });
    await harness.advanceTo(end);
  }

  const invoices = (await listAllInvoices(clients)).filter(({ number }) => number !== "");
  // Without credit: what is less than nothing on one invoice pays for the next.
  const charged = new Set<InvoiceLineKind>([
    InvoiceLineKind.PRICE,
    InvoiceLineKind.MINIMUM,
    InvoiceLineKind.LATE_USAGE,
  ]);
  const totals = (way: string) =>
    samples.map((_, i) =>
      invoices
        .filter(({ customerId }) => customerId === `${way} ${i}`)
        .flatMap(({ lines }) => lines)
        .filter(({ kind }) => charged.has(kind))
        .reduce((sum, { amountMinor }) => sum + amountMinor, 0n),
    );
  expect(totals("split")).toEqual(totals("whole"));
  const late = invoices.flatMap(({ lines }) => lines).filter(({ priceKey }) => priceKey === "late_usage");
  expect(late.filter(({ amountMinor }) => amountMinor > 0n).length).toBeGreaterThan(3);
  expect(late.filter(({ amountMinor }) => amountMinor < 0n).length).toBeGreaterThan(3);
  for (const { id, lines } of invoices) {
    if (!lines.some(({ kind }) => kind === LATE_USAGE)) continue;
    expect((await clients.invoice.verifyInvoice({ id })).matches).toBe(true);
  }
  const { unbilledUsage } = await clients.usage.listUnbilledUsage({ pageSize: 1_000 });
  expect(unbilledUsage).toEqual([]);
});
