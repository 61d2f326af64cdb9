import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UsageInterval, UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { type Harness, setup } from "../support/harness.ts";

const catalog = fromJson(CatalogSchema, {
  metrics: [
    { key: "RESERVED", aggregation: "AGGREGATION_WEIGHTED_SUM" },
    { key: "SEATS", aggregation: "AGGREGATION_WEIGHTED_SUM", carryOver: true },
    { key: "CALLS", aggregation: "AGGREGATION_SUM" },
  ],
});
const at = (time: string) => timestampFromDate(new Date(time));

/** A harness in September 2025, with changes of a level counted. */
async function changed(metric: string, changes: Record<string, string>): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  await harness.advanceTo("2025-09-01T00:00:00Z");
  const events = Object.entries(changes).map(([time, amount]) => ({
    metric,
    customerId: "ann",
    amount,
    occurredAt: at(time),
  }));
  await harness.clients.usage.trackUsage({ events, backfill: true });
  await harness.drain();
  return harness;
}

function series({ clients }: Harness, metric: string, start: string, end: string, interval = UsageInterval.MONTH) {
  return clients.usage.getUsage({ metric, customerId: "ann", start: at(start), end: at(end), interval });
}

test("a level counts by the seconds that it lasts: Lago's example", async () => {
  // https://getlago.com/docs/guide/billable-metrics/aggregation-types/weighted-sum
  const harness = await changed("RESERVED", { "2022-03-16T00:00:00Z": "20", "2022-03-17T00:00:00Z": "10" });
  const { total } = await series(harness, "RESERVED", "2022-03-01T00:00:00Z", "2022-04-01T00:00:00Z");
  expect(total?.quantity).toBe("15.161290322581"); // 15.1612903226 there
});

test("a period may begin and end within an hour: Flexprice's example", async () => {
  // https://docs.flexprice.io/docs/product-catalogue/features/aggregation/weighted-sum, whose seconds are wrong: from 16
  // August to 31 August 18:30 are 1,362,600 and not 1,365,300, and so with the others. By its formula:
  // (20 x 1,362,600 + 10 x 1,189,800 + 10 x 1,017,000 + 5 x 585,000) / 2,678,400.
  const harness = await changed("RESERVED", {
    "2025-08-16T00:00:00Z": "20",
    "2025-08-18T00:00:00Z": "10",
    "2025-08-20T00:00:00Z": "10",
    "2025-08-25T00:00:00Z": "5",
  });
  const { total } = await series(harness, "RESERVED", "2025-07-31T18:30:00Z", "2025-08-31T18:30:00Z");
  expect(total?.quantity).toBe("19.506048387097");
});

test("a level is carried over where the metric says so, and each span begins at 0 where it does not", async () => {
  const days = { "2025-06-16T00:00:00Z": "100", "2025-07-16T12:00:00Z": "-40" };
  const seats = await changed("SEATS", days);
  const carried = await series(seats, "SEATS", "2025-05-01T00:00:00Z", "2025-09-01T00:00:00Z");
  expect(carried.points.map(({ quantity }) => quantity)).toEqual(["0", "50", "80", "60"]);
  expect((await series(seats, "SEATS", "2025-08-01T00:30:00Z", "2025-08-01T00:45:00Z")).total?.quantity).toBe("60");

  const reserved = await changed("RESERVED", days);
  const own = await series(reserved, "RESERVED", "2025-05-01T00:00:00Z", "2025-09-01T00:00:00Z");
  expect(own.points.map(({ quantity }) => quantity)).toEqual(["0", "50", "-20", "0"]);
});

test("counts to the microsecond, and rounds once, half away from zero", async () => {
  const harness = await changed("RESERVED", { "2025-08-16T00:00:00Z": "0" });
  const send = (micros: number, amount: string) => ({
    metric: "RESERVED",
    customerId: "bob",
    amount,
    occurredAt: { seconds: 1_755_302_400n, nanos: micros * 1_000 }, // 2025-08-16
  });
  await harness.clients.usage.trackUsage({ events: [send(0, "1"), send(1, "-1")] });
  await harness.drain();
  const ask = (end: string) =>
    harness.clients.usage.getUsage({
      metric: "RESERVED",
      customerId: "bob",
      start: at("2025-08-16T00:00:00Z"),
      end: at(end),
      interval: UsageInterval.DAY,
    });
  expect((await ask("2025-08-16T01:00:00Z")).total?.quantity).toBe("0.000000000278"); // 277.8 of the last digit
  expect((await ask("2025-08-18T00:00:00Z")).total?.quantity).toBe("0.000000000006"); // 5.79

  const half = { "2025-08-20T12:00:00Z": "0.000000000001" };
  const day = ["2025-08-20T00:00:00Z", "2025-08-21T00:00:00Z"] as const;
  expect((await series(await changed("RESERVED", half), "RESERVED", ...day)).total?.quantity).toBe("0.000000000001");
  const less = { "2025-08-20T12:00:00Z": "-0.000000000001" };
  expect((await series(await changed("RESERVED", less), "RESERVED", ...day)).total?.quantity).toBe("-0.000000000001");
});

test("amounts below zero are for levels alone", async () => {
  const { clients } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const send = (metric: string, amount: string) => ({ metric, customerId: "ann", amount });
  const { results } = await clients.usage.trackUsage({
    events: [
      send("SEATS", "-1.5"),
      send("SEATS", "-1e2"),
      send("SEATS", "-0"),
      send("SEATS", "--1"),
      send("CALLS", "-1"),
    ],
  });
  expect(results.map(({ outcome }) => outcome)).toEqual([
    UsageOutcome.ACCEPTED,
    UsageOutcome.ACCEPTED,
    UsageOutcome.ACCEPTED,
    UsageOutcome.REJECTED,
    UsageOutcome.REJECTED,
  ]);
  expect(results.at(-1)).toMatchObject({ reason: ErrorReason.INVALID_AMOUNT, message: "must not be negative" });
});
