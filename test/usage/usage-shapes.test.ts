import fc from "fast-check";
import { expect, test } from "vitest";
import { inTenant } from "../../server/db/database.ts";
import type { DimensionTest } from "../../server/usage/dimension.ts";
import { foldUsage } from "../../server/usage/fold-usage.ts";
import { recountUsage } from "../../server/usage/usage-recount.ts";
import type { UsageSpan, UsageTotals } from "../../server/usage/usage-span.ts";
import { usageTotals } from "../../server/usage/usage-total.ts";
import { setup } from "../support/harness.ts";
import { type Reported, reckon, reportsIn, shapedCatalog, shapes, timesIn, toEvent } from "../support/shaped-usage.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2015, 4, 20);
const END = START + 6 * HOUR;
const dimensionTest: fc.Arbitrary<DimensionTest> = fc.record({
  place: fc.nat({ max: 2 }),
  values: fc.uniqueArray(fc.constantFrom("eu", "us", "a", "é", ""), { minLength: 1, maxLength: 3 }),
  negated: fc.boolean(),
});
const span: fc.Arbitrary<UsageSpan> = fc
  .record({
    customerId: fc.constantFrom("ann", "bob"),
    metric: fc.constantFrom(...Object.keys(shapes)),
    edges: fc
      .uniqueArray(timesIn(START, END), { minLength: 2, maxLength: 2 })
      .map((edges) => edges.sort((a, b) => a - b)),
    tests: fc.array(dimensionTest, { maxLength: 2 }),
    groupBy: fc.constantFrom([], [1], [2], [2, 1]),
  })
  .map(({ edges: [start = 0, end = 0], ...rest }) => ({
    ...rest,
    aggregation: shapes[rest.metric] ?? "",
    carryOver: rest.metric === "STOCK",
    start: new Date(start),
    end: new Date(end),
  }));
const wholeHours = (one: UsageSpan): UsageSpan => ({
  ...one,
  start: new Date(Math.floor(one.start.getTime() / HOUR) * HOUR),
  end: new Date(Math.ceil((one.end.getTime() + 1) / HOUR) * HOUR),
  carryOver: false,
  tests: [],
  groupBy: [],
});

test("any usage in any span is what its events come to, in whatever order and how often they came, and ever after", async () => {
  const { app, clients, tenant } = await setup();
  await clients.pricing.pushCatalog({ catalog: shapedCatalog });
  const read = <T>(work: Parameters<typeof inTenant<T>>[2]) => inTenant(app.db, tenant.testId, work);
  const stored: Reported[] = [];
  const known: { spans: UsageSpan[]; totals: UsageTotals }[] = [];
  await fc.assert(
    fc.asyncProperty(
      fc.array(reportsIn(START, END), { minLength: 1, maxLength: 40 }),
      fc.array(span, { minLength: 1, maxLength: 12 }),
      async (reports, cut) => {
        const events = reports.map((report, i) => ({ ...report, key: `key ${stored.length + i}` }));
        const sent = events.map(toEvent);
        await clients.usage.trackUsage({ events: [...sent, ...sent.slice(0, 3)], backfill: true });
        await clients.usage.trackUsage({ events: sent });
        await foldUsage(app, tenant.testId);
        stored.push(...events);
        for (const spans of [cut, cut.map(wholeHours)]) {
          const totals = await read((tx) => usageTotals(tx, tenant.testId, spans));
          expect(totals.groups).toEqual(spans.map((one) => reckon(one, stored)));
          known.push({ spans, totals });
        }
      },
    ),
    { numRuns: 40 },
  );
  for (const { spans, totals } of known) {
    expect(await read((tx) => recountUsage(tx, tenant.testId, spans, totals.foldNumber))).toEqual(totals);
  }
});
