import fc from "fast-check";
import { expect, test } from "vitest";
import type { Rejected, Undelivered } from "../../cli/library/report.ts";
import type { UsageEventInput } from "../../cli/library/tracked-event.ts";
import { createTracker, type TrackerOptions } from "../../cli/library/tracker.ts";
import { catalog } from "../support/catalog.ts";
import { FAULTS, startFaultyFront } from "../support/faulty-front.ts";
import { setup } from "../support/harness.ts";

// What the tracker promises: each event has one outcome that somebody is told of, and what is billed is what was tracked,
// whatever becomes of requests and answers.

interface Given extends UsageEventInput {
  /** Whether the server may store it. */
  good: boolean;
}

const isGoodOne = ({ event }: Undelivered) => event.metric === "API_CALL" && event.amount !== "NaN";

/** Events: most are fine, some are sent twice by a caller that retries, some nobody can take. */
const anyEvent = fc.oneof(
  { weight: 8, arbitrary: fc.record({ amount: fc.nat(1_000), good: fc.constant(true) }) },
  { weight: 2, arbitrary: fc.record({ idempotencyKey: fc.constantFrom("a", "b"), good: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.constant({ metric: "API_KALL", good: false }) },
  { weight: 1, arbitrary: fc.constant({ amount: Number.NaN, good: false }) },
);
const anyCourse = fc.record({
  events: fc.array(anyEvent, { minLength: 1, maxLength: 60 }),
  faults: fc.array(fc.constantFrom(...FAULTS), { maxLength: 12 }),
  batchEventsMax: fc.constantFrom(1, 7, 1_000),
  inFlightMax: fc.constantFrom(1, 4),
  dies: fc.boolean(),
});

test("every event has one outcome that is told, and the server's totals are those of the events", async () => {
  const { api, clients, ownerDb, tenant } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const front = await startFaultyFront(api.url);
  const stored = (customerId: string) =>
    ownerDb
      .selectFrom("usage_event")
      .select(["idempotency_key as key", "amount"])
      .where("customer_id", "=", customerId)
      .orderBy("idempotency_key")
      .execute();
  let course = 0;

  const check = async (given: typeof anyCourse extends fc.Arbitrary<infer T> ? T : never) => {
    const customerId = `user_${course++}`;
    const told = { rejected: [] as Rejected[], undelivered: [] as Undelivered[] };
    const options: TrackerOptions = {
      ...{ url: front.url, apiKey: tenant.testKey, batchWaitMs: 1, retryWaits: { firstMs: 1, maxMs: 2 } },
      ...{ batchEventsMax: given.batchEventsMax, inFlightMax: given.inFlightMax },
      onRejected: (rejected) => told.rejected.push(...rejected),
      onUndelivered: (undelivered) => told.undelivered.push(...undelivered),
    };
    const events: Given[] = given.events.map((event) => ({
      ...{ metric: "API_CALL", amount: 3, customerId, ...event },
      ...("idempotencyKey" in event ? { idempotencyKey: `${customerId}-${event.idempotencyKey}` } : {}),
    }));
    front.plan(given.faults, given.dies ? "unavailable" : "pass");
    const tracker = createTracker(options);
    const keys = events.map(({ good, ...event }) => [tracker.track(event).idempotencyKey, good, event] as const);
    const tally = await tracker.close(given.dies ? { timeoutMs: 30 } : {});

    expect(tally.pending).toBe(0);
    expect(tally.tracked).toBe(events.length);
    expect(tally.accepted + tally.duplicate + tally.rejected + tally.undelivered).toBe(events.length);
    expect([told.rejected.length, told.undelivered.length]).toEqual([tally.rejected, tally.undelivered]);
    if (!given.dies) expect(tally.undelivered).toBe(0);
    const lost = new Map(told.undelivered.map((one) => [one.event.idempotencyKey, one.maybeStored]));
    const good = keys.filter(([, isGood]) => isGood).map(([key]) => key);
    expect(tally.accepted + tally.duplicate).toBe(
      good.length - told.undelivered.filter((one) => isGoodOne(one)).length,
    );
    // What was not sent is not stored, unless it was tracked twice.
    const unsent = good.filter((key) => lost.get(key) === false && good.indexOf(key) === good.lastIndexOf(key));
    expect((await stored(customerId)).filter(({ key }) => unsent.includes(key))).toEqual([]);

    // What was not delivered is tracked again, as from a spool: it counts once.
    front.plan([]);
    const again = createTracker(options);
    for (const { event } of told.undelivered.splice(0)) again.track(event);
    expect((await again.close()).undelivered).toBe(0);
    const expected = new Map(keys.filter(([, good]) => good).map(([key, , { amount }]) => [key, String(amount)]));
    expect((await stored(customerId)).map(({ key, amount }) => [key, amount])).toEqual(
      [...expected].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    const bad = events.filter(({ good }) => !good).length;
    expect(
      new Set(told.rejected.map(({ reason }) => reason)).difference(new Set(["UNKNOWN_METRIC", "INVALID_AMOUNT"])),
    ).toEqual(new Set());
    expect(told.rejected).toHaveLength(bad);
  };
  await fc.assert(fc.asyncProperty(anyCourse, check), { numRuns: 20 });
});
