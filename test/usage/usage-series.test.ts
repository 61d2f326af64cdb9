import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { UsageInterval, type UsagePoint, UsageProgressSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { testsOfGroup } from "../../server/usage/dimension.ts";
import { foldUsage } from "../../server/usage/fold-usage.ts";
import type { UsageSpan } from "../../server/usage/usage-span.ts";
import { type Harness, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { dimensions, reckon, reportsIn, shapedCatalog, shapes, timesIn, toEvent } from "../support/shaped-usage.ts";
import { usageCatalog } from "../support/usage-catalog.ts";

const { HOUR, DAY, MONTH } = UsageInterval;
const START = Date.UTC(2015, 3, 29);
const HOUR_MS = 3_600_000;
const hourAt = (hour: number) => timestampFromDate(new Date(START + hour * 3_600_000));

/** One event; `hour` may have a fraction. */
interface Sent {
  metric: string;
  customerId: string;
  hour: number;
  amount: number;
  user: string;
}

async function track({ clients }: Harness, events: readonly Sent[]): Promise<void> {
  await clients.usage.trackUsage({
    events: events.map(({ metric, customerId, hour, amount, user }, i) => ({
      metric,
      customerId,
      amount: String(amount / 4),
      occurredAt: hourAt(hour),
      properties: { user },
      idempotencyKey: `${i}`,
    })),
  });
}

const regionIn = (values: string[]) => ({ property: "region", test: { case: "in" as const, value: { values } } });
const progress = (foldNumber: bigint) => create(UsageProgressSchema, { foldNumber });
const plainPoint = ({ quantity, eventCount }: UsagePoint) => ({ quantity, eventCount });

describe("getUsage", () => {
  test("is what its events come to, for any metric, customers, span, interval, filter and groups", async () => {
    const { app, clients, tenant } = await setup();
    await clients.pricing.pushCatalog({ catalog: shapedCatalog });
    const end = START + 60 * HOUR_MS;
    const reports = fc.array(reportsIn(START, end), { minLength: 500, maxLength: 500 });
    const [sample = []] = fc.sample(reports, { numRuns: 1, seed: 7 });
    const events = sample.map((report, i) => ({ ...report, key: `${i}` }));
    await clients.usage.trackUsage({ events: events.map(toEvent), backfill: true });
    await foldUsage(app, tenant.testId);
    const question = fc.record({
      metric: fc.constantFrom(...Object.keys(shapes)),
      customerId: fc.constantFrom("", "ann", "bob", "nobody"),
      edges: fc.uniqueArray(timesIn(START, end), { minLength: 2, maxLength: 2 }).map((edges) => edges.sort()),
      interval: fc.constantFrom(HOUR, DAY, MONTH),
      regions: fc.constantFrom<string[]>([], ["eu"], ["us", ""]),
      groupBy: fc.constantFrom<string[]>([], ["region"], ["model", "region"]),
    });
    await fc.assert(
      fc.asyncProperty(
        question,
        async ({ metric, customerId, edges: [from = 0, to = 0], interval, regions, groupBy }) => {
          const { points, total, groups } = await clients.usage.getUsage({
            metric,
            customerId,
            start: timestampFromMs(from),
            end: timestampFromMs(to),
            interval,
            filter: regions.length === 0 ? [] : [regionIn(regions)],
            groupBy,
          });
          const places = groupBy.map((property) => dimensions.indexOf(property) + 1);
          const inRegions = regions.length === 0 ? [] : [{ place: 1, values: regions, negated: false }];
          const span: UsageSpan = {
            customerId,
            metric,
            aggregation: shapes[metric] ?? "",
            carryOver: metric === "STOCK",
            start: new Date(from),
            end: new Date(to),
            tests: inRegions,
          };
          const found = places.length === 0 ? [] : reckon({ ...span, groupBy: places }, events);
          expect(groups.map((group) => groupBy.map((property) => group.dimensions[property]))).toEqual(
            found.map((group) => group.values),
          );
          const all = { points, total: total as UsagePoint, tests: inRegions };
          const each = groups.map((group, i) => ({
            points: group.points,
            total: group.total as UsagePoint,
            tests: [...inRegions, ...testsOfGroup(places, found[i]?.values ?? [])],
          }));
          for (const { points, total, tests } of [all, ...each]) {
            for (const point of [...points, total]) {
              const [start, end] = [point.start, point.end].map((time) => timestampDate(time as Timestamp)) as [
                Date,
                Date,
              ];
              const piece = { ...span, tests, start, end };
              const counted = reckon({ ...piece, aggregation: "COUNT", carryOver: false }, events);
              expect(plainPoint(point)).toEqual({
                quantity: reckon(piece, events)[0]?.quantity,
                eventCount: BigInt(counted[0]?.quantity ?? ""),
              });
            }
          }
        },
      ),
      { numRuns: 80 },
    );
  });

  test("has a point for every piece of the span, and says what is still to be counted", async () => {
    const harness = await setup();
    const { app, clients, clock, tenant } = harness;
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    const ask = () => clients.usage.getUsage({ metric: "SUM", start: hourAt(-2), end: hourAt(30), interval: DAY });
    const before = await ask();
    expect(before.points.map(plainPoint)).toEqual(Array(3).fill({ quantity: "0", eventCount: 0n }));
    expect(before.points.map((point) => [point.start, point.end])).toEqual([
      [hourAt(-2), hourAt(0)],
      [hourAt(0), hourAt(24)],
      [hourAt(24), hourAt(30)],
    ]);
    expect(before.progress).toEqual(progress(0n));

    await track(harness, [{ metric: "SUM", customerId: "ann", hour: 1.5, amount: 6, user: "" }]);
    const stored = clock.now();
    clock.advance(5_000);
    const waiting = await ask();
    expect(waiting.total).toMatchObject({ quantity: "0" });
    expect(waiting.progress).toMatchObject({
      foldNumber: 0n,
      pendingBatches: 1n,
      completeUntil: timestampFromDate(stored),
    });

    await foldUsage(app, tenant.testId);
    const after = await ask();
    expect(after.points.map((point) => point.quantity)).toEqual(["0", "1.5", "0"]);
    expect(after.progress).toEqual(progress(1n));
  });

  test("refuses spans that are none, that cut a millisecond, and that have too many points", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    const ask = (start: number, end: number, interval: UsageInterval = HOUR, metric = "SUM") =>
      refused(clients.usage.getUsage({ metric, start: hourAt(start), end: hourAt(end), interval }));
    expect(await ask(2, 2)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "end" });
    expect(await ask(2, 1)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "end" });
    const finer = { seconds: 1_430_000_000n, nanos: 1_000 };
    const fine = clients.usage.getUsage({ metric: "SUM", start: finer, end: hourAt(99), interval: DAY });
    expect(await refused(fine)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "start" });
    expect(await ask(0, 1_001)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "end" });
    expect(await ask(0, 2, UsageInterval.UNSPECIFIED)).toMatchObject({ field: "interval" });
    expect(await ask(0, 2, HOUR, "SUMM")).toMatchObject({ reason: ErrorReason.NOT_FOUND });
    const noStart = clients.usage.getUsage({ metric: "SUM", end: hourAt(1), interval: HOUR });
    expect(await refused(noStart)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "start" });
    const grouped = { metric: "SUM", start: hourAt(0), end: hourAt(1), interval: HOUR };
    const dimensionless = [{ filter: [regionIn(["eu"])] }, { groupBy: ["region"] }];
    expect(
      await Promise.all(dimensionless.map((more) => refused(clients.usage.getUsage({ ...grouped, ...more })))),
    ).toMatchObject([{ field: "filter[0].property" }, { field: "group_by[0]" }]);
    const longest = await clients.usage.getUsage({
      metric: "SUM",
      start: hourAt(0),
      end: hourAt(1_000),
      interval: HOUR,
    });
    expect(longest.points).toHaveLength(1_000);
  });
});
