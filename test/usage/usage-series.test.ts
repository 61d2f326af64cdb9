import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { UsageInterval, type UsagePoint, UsageProgressSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { foldUsage } from "../../server/usage/fold-usage.ts";
import { type Harness, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { usageCatalog } from "../support/usage-catalog.ts";

const { HOUR, DAY, MONTH } = UsageInterval;
const START = Date.UTC(2015, 3, 29);
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

/** What a metric counts, from the events themselves. */
function recount(metric: string, events: readonly Sent[]) {
  const amounts = events.map((event) => event.amount / 4);
  const quantity = {
    SUM: amounts.reduce((sum, amount) => sum + amount, 0),
    COUNT: events.length,
    MAX: Math.max(0, ...amounts),
    UNIQUE: new Set(events.map((event) => event.user)).size,
  }[metric];
  return { quantity: String(quantity), eventCount: BigInt(events.length) };
}

const progress = (foldNumber: bigint) => create(UsageProgressSchema, { foldNumber });
const plainPoint = ({ quantity, eventCount }: UsagePoint) => ({ quantity, eventCount });

describe("getUsage", () => {
  test("agrees with a recount of the events, for any metric, customers, span and interval", async () => {
    const harness = await setup();
    const { app, clients, tenant } = harness;
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    const sent = fc.record({
      metric: fc.constantFrom("SUM", "COUNT", "MAX", "UNIQUE"),
      customerId: fc.constantFrom("ann", "bob"),
      hour: fc.integer({ min: 0, max: 96 * 4 - 1 }).map((quarter) => quarter / 4),
      amount: fc.nat({ max: 1_000 }),
      user: fc.constantFrom("x", "y", "z"),
    });
    const [events = []] = fc.sample(fc.array(sent, { minLength: 400, maxLength: 400 }), { numRuns: 1, seed: 7 });
    await track(harness, events);
    await foldUsage(app, tenant.testId);
    const question = fc.record({
      metric: fc.constantFrom("SUM", "COUNT", "MAX", "UNIQUE"),
      customerId: fc.constantFrom("", "ann", "bob", "nobody"),
      edges: fc
        .uniqueArray(fc.nat({ max: 96 }), { minLength: 2, maxLength: 2 })
        .map((edges) => edges.sort((a, b) => a - b)),
      interval: fc.constantFrom(HOUR, DAY, MONTH),
    });
    await fc.assert(
      fc.asyncProperty(question, async ({ metric, customerId, edges: [from = 0, to = 0], interval }) => {
        const { points, total } = await clients.usage.getUsage({
          metric,
          customerId,
          start: hourAt(from),
          end: hourAt(to),
          interval,
        });
        for (const point of [...points, total as UsagePoint]) {
          const [start, end] = [point.start, point.end].map(
            (time) => time && (Number(timestampDate(time)) - START) / 3.6e6,
          );
          const within = events.filter(
            (event) =>
              event.metric === metric &&
              (customerId === "" || event.customerId === customerId) &&
              event.hour >= (start as number) &&
              event.hour < (end as number),
          );
          expect(plainPoint(point)).toEqual(recount(metric, within));
        }
      }),
      { numRuns: 60 },
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

  test("refuses spans that are none, that cut an hour, and that have too many points", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    const ask = (start: number, end: number, interval: UsageInterval = HOUR, metric = "SUM") =>
      refused(clients.usage.getUsage({ metric, start: hourAt(start), end: hourAt(end), interval }));
    expect(await ask(2, 2)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "end" });
    expect(await ask(2, 1)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "end" });
    expect(await ask(0.5, 2)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "start" });
    expect(await ask(0, 2.5)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "end" });
    expect(await ask(0, 1_001)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "end" });
    expect(await ask(0, 2, UsageInterval.UNSPECIFIED)).toMatchObject({ field: "interval" });
    expect(await ask(0, 2, HOUR, "SUMM")).toMatchObject({ reason: ErrorReason.NOT_FOUND });
    const noStart = clients.usage.getUsage({ metric: "SUM", end: hourAt(1), interval: HOUR });
    expect(await refused(noStart)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "start" });
    const longest = await clients.usage.getUsage({
      metric: "SUM",
      start: hourAt(0),
      end: hourAt(1_000),
      interval: HOUR,
    });
    expect(longest.points).toHaveLength(1_000);
  });
});
