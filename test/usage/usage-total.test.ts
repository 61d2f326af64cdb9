import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inTenant } from "../../server/db/database.ts";
import type { UsageSpan } from "../../server/usage/usage-span.ts";
import { usageTotals } from "../../server/usage/usage-total.ts";
import { type Harness, setup } from "../support/harness.ts";

const hourAt = (hour: number) => new Date(Date.UTC(2015, 4, 1) + hour * 3_600_000);

interface Bucket {
  customer: string;
  metric: string;
  hour: number;
  count: number;
  sum: string;
  max: string;
}

function fill({ ownerDb, tenant }: Harness, buckets: readonly Bucket[]) {
  const rows = buckets.map(({ customer, metric, hour, count, sum, max }) => ({
    tenant_id: tenant.testId,
    customer_id: customer,
    metric,
    hour: hourAt(hour),
    dimensions: [],
    event_count: BigInt(count),
    amount_sum: sum,
    amount_max: max,
    last_number: 1n,
  }));
  return ownerDb.insertInto("usage_bucket").values(rows).execute();
}

async function totals({ app, tenant }: Harness, spans: readonly UsageSpan[]) {
  const { groups, foldNumber } = await inTenant(app.db, tenant.testId, (tx) => usageTotals(tx, tenant.testId, spans));
  return { quantities: groups.flat().map(({ quantity }) => quantity), foldNumber };
}

const span = (customerId: string, metric: string, aggregation: string, from: number, to: number): UsageSpan => ({
  customerId,
  metric,
  aggregation,
  start: hourAt(from),
  end: hourAt(to),
});

describe("usageTotals", () => {
  test("answers each span in its place: exact, half-open, plain digits, 0 where there is none", async () => {
    const harness = await setup();
    await fill(harness, [
      { customer: "ann", metric: "M", hour: 0, count: 1, sum: "0.100000000000", max: "0.1" },
      { customer: "ann", metric: "M", hour: 1, count: 2, sum: "99999999999999999999.2", max: "99999999999999999999" },
      { customer: "ann", metric: "M", hour: 2, count: 4, sum: "7", max: "7.50" },
      { customer: "bob", metric: "M", hour: 1, count: 8, sum: "5", max: "5" },
    ]);
    const { quantities, foldNumber } = await totals(harness, [
      span("bob", "M", "SUM", 0, 3),
      span("ann", "M", "SUM", 0, 2),
      span("ann", "M", "COUNT", 1, 3),
      span("ann", "M", "MAX", 2, 9),
      span("ann", "M", "SUM", 3, 9),
      span("ann", "M", "MAX", 3, 9),
      span("ann", "OTHER", "COUNT", 0, 9),
      span("nobody", "M", "UNIQUE", 0, 9),
    ]);
    expect(quantities).toEqual(["5", "99999999999999999999.3", "6", "7.5", "0", "0", "0", "0"]);
    expect(foldNumber).toBe(0n);
    expect((await totals(harness, [])).quantities).toEqual([]);
  });

  test("counts a value that comes again in another hour once", async () => {
    const harness = await setup();
    const values = [
      [0, "x"],
      [1, "x"],
      [1, "y"],
      [2, "z"],
    ] as const;
    const rows = values.map(([hour, value]) => ({
      tenant_id: harness.tenant.testId,
      customer_id: "ann",
      metric: "IP",
      hour: hourAt(hour),
      dimensions: [],
      value,
    }));
    await harness.ownerDb.insertInto("usage_value").values(rows).execute();
    const spans = [span("ann", "IP", "UNIQUE", 0, 2), span("ann", "IP", "UNIQUE", 0, 3)];
    expect((await totals(harness, spans)).quantities).toEqual(["2", "3"]);
  });

  test("agrees with a plain recount, however time is cut", async () => {
    const harness = await setup();
    const hours = Array.from({ length: 48 }, (_, hour) => hour);
    const all = ["ann", "bob"].flatMap((customer) =>
      hours.map((hour) => ({
        customer,
        metric: "M",
        hour,
        count: hour % 5,
        sum: `${hour}`,
        max: `${(hour * 7) % 11}`,
      })),
    );
    await fill(harness, all);
    const cuts = fc.uniqueArray(fc.nat({ max: 47 }), { maxLength: 8 }).map((list) => list.sort((a, b) => a - b));
    const customers = fc.constantFrom("ann", "bob");
    await fc.assert(
      fc.asyncProperty(cuts, customers, async (list, customer) => {
        const edges = [0, ...list, 48];
        const pieces = edges.slice(1).map((to, i) => [edges[i] as number, to] as const);
        const spans = pieces.flatMap(([from, to]) =>
          ["SUM", "COUNT", "MAX"].map((aggregation) => span(customer, "M", aggregation, from, to)),
        );
        const expected = pieces.flatMap(([from, to]) => {
          const within = all.filter((row) => row.customer === customer && row.hour >= from && row.hour < to);
          const sum = (of: (row: Bucket) => number) => String(within.reduce((total, row) => total + of(row), 0));
          const max = String(Math.max(0, ...within.map((row) => Number(row.max))));
          return [sum((row) => row.hour), sum((row) => row.count), max];
        });
        expect((await totals(harness, spans)).quantities).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });
});
