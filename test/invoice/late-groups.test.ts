import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { listAllInvoices, setup } from "../support/harness.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour.

const catalog = fromJson(CatalogSchema, {
  metrics: [{ key: "CALL", aggregation: "AGGREGATION_SUM", dimensions: ["region"] }],
  plans: [
    {
      key: "pro",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: [{ key: "calls", name: "Calls", metric: "CALL", groupBy: ["region"], perUnit: { unitAmount: "1" } }],
    },
  ],
  defaultPlan: "pro",
});

test("late usage of one group is the difference that it makes, beside groups of the same price that stay", async () => {
  const { clients, advanceTo } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const send = async (...usage: [region: string, amount: string][]) => {
    const occurredAt = timestampFromDate(new Date("2015-05-20T00:00:00Z"));
    await clients.usage.trackUsage({
      events: usage.map(([region, amount]) => ({
        metric: "CALL",
        amount,
        customerId: "ann",
        occurredAt,
        properties: { region },
      })),
    });
  };
  await send(["eu", "2"], ["us", "3"], ["as", "4"]);
  await advanceTo("2015-06-01T01:00:00Z");
  await send(["eu", "10"], ["af", "5"]);
  await advanceTo("2015-07-01T01:00:00Z");
  const [may, june] = await listAllInvoices(clients);
  expect(may?.totalMinor).toBe(900n);
  expect(june?.lines.map(({ priceKey, amountMinor }) => [priceKey, amountMinor])).toEqual([
    ["calls", 0n],
    ["late_usage", 1500n],
  ]);
  expect(june?.lines[1]?.steps.map(({ description, amount }) => `${description}: ${amount}`)).toEqual([
    "Calls (region af): 5 units: 5",
    "Calls (region eu): 12 units: 12",
    "Calls (region eu): 2 units, billed on INV-000001: -2",
  ]);
  expect(await clients.invoice.verifyInvoice({ id: june?.id ?? "" })).toMatchObject({ matches: true });
});
