import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { inTenant } from "../../server/db/database.ts";
import { recountUsage } from "../../server/usage/usage-recount.ts";
import { usageTotals } from "../../server/usage/usage-total.ts";
import { setup } from "../support/harness.ts";

const aggregations = ["SUM", "COUNT", "MAX", "UNIQUE"];
const catalog = fromJson(CatalogSchema, {
  metrics: aggregations.map((aggregation) => ({
    key: aggregation,
    aggregation: `AGGREGATION_${aggregation}`,
    ...(aggregation === "UNIQUE" ? { uniqueProperty: "user" } : {}),
  })),
});
const start = new Date("2015-05-19T03:00:00Z");
const end = new Date("2015-05-20T07:00:00Z");
const spans = ["ann", "bob"].flatMap((customerId) =>
  aggregations.map((aggregation) => ({ customerId, metric: aggregation, aggregation, start, end })),
);

const event = fc.record({
  metric: fc.constantFrom(...aggregations),
  customerId: fc.constantFrom("ann", "bob"),
  amount: fc.constantFrom("0", "1", "0.1", "12.500", "99999999999999999999.000000000001"),
  user: fc.constantFrom("u1", "u2", "u3"),
  // Some before the span, some after it, many at its very ends.
  at: fc.oneof(
    fc.integer({ min: start.getTime() - 7_200_000, max: end.getTime() + 7_200_000 }),
    fc.constantFrom(start.getTime() - 1, start.getTime(), end.getTime() - 1, end.getTime()),
  ),
});

test("buckets say what a recount of the raw events says, after every fold and ever after", async () => {
  const { app, clients, tenant, drain } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const read = <T>(work: Parameters<typeof inTenant<T>>[2]) => inTenant(app.db, tenant.testId, work);
  const known: Awaited<ReturnType<typeof usageTotals>>[] = [];
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 20 }), async (reports) => {
      await clients.usage.trackUsage({
        events: reports.map(({ metric, customerId, amount, user, at }) => ({
          ...{ metric, customerId, amount, properties: { user } },
          occurredAt: timestampFromDate(new Date(at)),
        })),
      });
      await drain();
      const totals = await read((tx) => usageTotals(tx, tenant.testId, spans));
      expect(await read((tx) => recountUsage(tx, tenant.testId, spans, totals.foldNumber))).toEqual(totals);
      known.push(totals);
    }),
    { numRuns: 20 },
  );
  for (const totals of known) {
    expect(await read((tx) => recountUsage(tx, tenant.testId, spans, totals.foldNumber))).toEqual(totals);
  }
});
