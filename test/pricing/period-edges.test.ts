import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";
import { use } from "../support/billing.ts";
import { cadenced, short, start } from "../support/cadence.ts";
import type { Harness } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z.

const at = (text: string) => timestampFromDate(new Date(text));

/** May and June by the period: where each point begins, and what was used in it. */
async function series({ clients }: Harness, customerId: string, more = {}): Promise<string[]> {
  const { points } = await clients.usage.getUsage({
    metric: "API_CALL",
    customerId,
    start: at("2015-05-01T00:00:00Z"),
    end: at("2015-07-01T00:00:00Z"),
    interval: UsageInterval.PERIOD,
    ...more,
  });
  return points.map((point) => `${short(point.start)} ${point.quantity}`);
}

describe("a series by the period", () => {
  test("is cut as the customer's subscription is", async () => {
    const harness = await cadenced({ alignment: "ALIGNMENT_ANNIVERSARY" }, "Europe/Berlin");
    await start(harness, { startAt: "2015-05-10T06:00:00Z" });
    for (const [i, time] of ["10T05", "10T06", "20T00"].entries()) {
      await use(harness, "ann", String(2 ** i), `2015-05-${time}:59:59Z`);
    }
    await harness.advanceTo("2015-06-11T00:00:00Z");
    await use(harness, "ann", "8", "2015-06-10T06:00:00Z");
    await harness.drain();
    expect(await series(harness, "ann")).toEqual(["2015-05-01 1", "2015-05-10T06 6", "2015-06-10T06 8"]);
  });

  test("has the tenant's months for all customers, and for one without a subscription or with several", async () => {
    const harness = await cadenced({ period: "PERIOD_WEEKLY" }, "Europe/Berlin");
    const months = ["2015-05-01 0", "2015-05-31T22 0", "2015-06-30T22 0"];
    expect(await series(harness, "ann")).toEqual(months);
    await start(harness);
    expect(await series(harness, "ann")).toHaveLength(10);
    expect(await series(harness, "")).toEqual(months);
    const { catalog } = await harness.clients.pricing.pullCatalog({});
    const plans = catalog?.plans.map((plan) => ({ ...plan, key: "other" })) ?? [];
    await harness.clients.pricing.pushCatalog({ catalog: { plans } });
    await harness.clients.pricing.startSubscription({ customerId: "ann", plan: "other" });
    expect(await series(harness, "ann")).toEqual(months);
  });
});

test("a series by the month or day is in UTC, or the time zone that is asked for", async () => {
  const harness = await cadenced({}, "Europe/Berlin");
  const interval = UsageInterval.MONTH;
  expect(await series(harness, "ann", { interval })).toEqual(["2015-05-01 0", "2015-06-01 0"]);
  const timeZone = "America/New_York";
  expect(await series(harness, "ann", { interval, timeZone })).toEqual([
    "2015-05-01 0",
    "2015-05-01T04 0",
    "2015-06-01T04 0",
  ]);
  expect((await series(harness, "ann", { interval: UsageInterval.DAY, timeZone }))[1]).toBe("2015-05-01T04 0");
  expect(await refused(series(harness, "ann", { timeZone: "Nowhere" }))).toMatchObject({ code: 3, field: "time_zone" });
});
