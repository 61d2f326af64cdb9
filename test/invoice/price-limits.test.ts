import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { listAllInvoices, setup } from "../support/harness.ts";
import { mismatches } from "../support/subscriptions.ts";

const catalog = fromJson(CatalogSchema, {
  metrics: [{ key: "CALLS", aggregation: "AGGREGATION_SUM", dimensions: ["region"] }],
  plans: [
    {
      key: "plan",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: [{ key: "calls", metric: "CALLS", perUnit: { unitAmount: "1000" }, groupBy: ["region"] }],
    },
  ],
  defaultPlan: "plan",
});

test("usage that cannot be, in more groups than a total can hold, stops no invoices", async () => {
  const harness = await setup();
  const { clients } = harness;
  await clients.pricing.pushCatalog({ catalog });
  const occurredAt = timestampFromDate(new Date("2015-05-20T00:00:00Z"));
  const event = { metric: "CALLS", amount: "9".repeat(20), occurredAt };
  const events = Array.from({ length: 1_000 }, (_, i) => ({
    ...event,
    customerId: "ann",
    properties: { region: `region-${i}` },
  }));
  await clients.usage.trackUsage({ events: [{ ...event, customerId: "bob", amount: "1" }] });
  await clients.usage.trackUsage({ events });
  await harness.advanceTo("2015-06-01T02:00:00Z");
  const totals = (await listAllInvoices(clients)).map(({ customerId, totalMinor }) => [customerId, totalMinor]);
  expect(totals.sort()).toEqual([
    ["ann", 10n ** 16n],
    ["bob", 100_000n],
  ]);
  expect(await mismatches(harness)).toEqual([]);
});
