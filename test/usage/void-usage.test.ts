import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { Aggregation } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  UnbilledReason,
  UsageInterval,
  UsageOutcome,
  UsageState,
  VoidOutcome,
} from "../../gen/usageflow/v1/usage_pb.ts";
import { foldUsage } from "../../server/usage/fold-usage.ts";
import { type Harness, setup } from "../support/harness.ts";
import { keyOf } from "../support/keys.ts";
import { refused } from "../support/refused.ts";
import { terminateWaiting } from "../support/waiting.ts";

const { VOIDED, ALREADY_VOIDED, NOT_FOUND } = VoidOutcome;
const reason = "sent for the wrong customer";
const metrics = [
  { key: "SUM", aggregation: Aggregation.SUM },
  { key: "COUNT", aggregation: Aggregation.COUNT },
  { key: "MAX", aggregation: Aggregation.MAX },
  { key: "UNIQUE", aggregation: Aggregation.UNIQUE, uniqueProperty: "ip" },
];

interface Sent {
  key: string;
  metric: string;
  amount: string;
  hour: number;
  ip: string;
}

async function measured(): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog: { metrics } });
  return harness;
}

function track({ clients }: Harness, sent: readonly Sent[]) {
  const events = sent.map(({ key, metric, amount, hour, ip }) => ({
    metric,
    amount,
    customerId: "ann",
    idempotencyKey: key,
    occurredAt: timestampFromDate(new Date(Date.UTC(2015, 4, 20, hour, 59, 59, 999))),
    properties: { ip },
  }));
  return clients.usage.trackUsage({ events });
}

async function voided({ clients }: Harness, ...idempotencyKeys: string[]): Promise<VoidOutcome[]> {
  const { results } = await clients.usage.voidUsage({ idempotencyKeys, reason });
  expect(results.map((result) => result.idempotencyKey)).toEqual(idempotencyKeys);
  return results.map((result) => result.outcome);
}

/** Every bucket and every value, as they are and as a plain recount of all events that stand has them. */
async function recount({ ownerDb }: Harness) {
  const hour = sql`date_trunc('hour', occurred_at, 'UTC')`;
  const stands = sql`not exists (
    select from usage_void v where v.tenant_id = e.tenant_id and v.idempotency_key = e.idempotency_key)`;
  const [buckets, bucketsAgain, values, valuesAgain] = await Promise.all([
    sql`select metric, hour, event_count, trim_scale(amount_sum) as sum, trim_scale(amount_max) as max
      from usage_bucket where event_count > 0 order by 1, 2`.execute(ownerDb),
    sql`select metric, ${hour} as hour, count(*) as event_count, trim_scale(sum(amount)) as sum,
      trim_scale(max(amount)) as max from usage_event e where ${stands} group by 1, 2 order by 1, 2`.execute(ownerDb),
    sql`select metric, hour, value from usage_value order by 1, 2, 3`.execute(ownerDb),
    sql`select distinct metric, ${hour} as hour, properties ->> 'ip' as value from usage_event e
      where metric = 'UNIQUE' and ${stands} order by 1, 2, 3`.execute(ownerDb),
  ]);
  return { folded: [buckets.rows, values.rows], counted: [bucketsAgain.rows, valuesAgain.rows] };
}

async function expectExact(harness: Harness): Promise<void> {
  const { folded, counted } = await recount(harness);
  expect(folded).toEqual(counted);
  expect(await harness.ownerDb.selectFrom("usage_batch").selectAll().execute()).toEqual([]);
}

describe("voidUsage", () => {
  test("takes events back once, answers for each key, and leaves what is not there", async () => {
    const harness = await measured();
    const one = { metric: "SUM", amount: "2.5", hour: 0, ip: "1" };
    await track(harness, [
      { ...one, key: "a" },
      { ...one, key: "b" },
    ]);
    await harness.drain();
    expect(await voided(harness, "a", "none", "a")).toEqual([VOIDED, NOT_FOUND, ALREADY_VOIDED]);
    expect(await voided(harness, "a", "none")).toEqual([ALREADY_VOIDED, NOT_FOUND]);
    await harness.drain();
    const { clients } = harness;
    const [start, end] = ["2015-05-20", "2015-05-21"].map((day) => timestampFromDate(new Date(day)));
    const usage = await clients.usage.getUsage({ metric: "SUM", start, end, interval: UsageInterval.DAY });
    expect(usage.total).toMatchObject({ quantity: "2.5", eventCount: 1n });
    await expectExact(harness);

    // Its key is used up, for ever.
    const again = await track(harness, [{ ...one, key: "a" }]);
    expect(again.results.map((result) => result.outcome)).toEqual([UsageOutcome.DUPLICATE]);
    // One that was not there when it was to be voided counts.
    await track(harness, [{ ...one, key: "none" }]);
    await harness.drain();
    await expectExact(harness);
    expect((await recount(harness)).folded[0]).toMatchObject([{ event_count: 2n, sum: "5" }]);
  });

  test("is told with the event: when, why, by whom, and that it is on no bill for that", async () => {
    const harness = await measured();
    const { clients } = harness;
    await track(harness, [
      { key: "a", metric: "SUM", amount: "1", hour: 0, ip: "1" },
      { key: "b", metric: "SUM", amount: "1", hour: 1, ip: "1" },
    ]);
    await voided(harness, "a");
    const explain = (idempotencyKey: string) => clients.usage.explainUsageEvent({ idempotencyKey });
    const told = {
      idempotencyKey: "a",
      reason,
      voidedAt: timestampFromDate(new Date("2015-05-21T00:00:00Z")),
      keyId: expect.stringMatching(/^key_/),
    };
    const unbilled = { state: UsageState.UNBILLED, unbilledReason: UnbilledReason.VOIDED, voided: told };
    expect(await explain("a")).toMatchObject({ ...unbilled, foldNumber: 0n });
    await harness.drain();
    expect(await explain("a")).toMatchObject({ ...unbilled, foldNumber: 1n });
    expect((await explain("b")).voided).toBeUndefined();
    const list = await clients.usage.listUsageEvents({});
    expect(list.usageEvents.map((event) => event.idempotencyKey)).toEqual(["b", "a"]);
    expect(list.voids).toMatchObject([told]);
    const { unbilledUsage } = await clients.usage.listUnbilledUsage({});
    expect(unbilledUsage).toMatchObject([{ eventCount: 1n, reason: UnbilledReason.NO_SUBSCRIPTION }]);
  });

  test("is not for a key that only sends usage, and says why", async () => {
    const harness = await measured();
    await track(harness, [{ key: "a", metric: "SUM", amount: "1", hour: 0, ip: "1" }]);
    const as = async (role: Role) => harness.clientsFor(await keyOf(harness.clients, role)).usage;
    const request = { idempotencyKeys: ["a"], reason };
    for (const role of [Role.INGEST, Role.VIEWER]) {
      expect(await refused((await as(role)).voidUsage(request))).toMatchObject({ code: 7 });
    }
    expect(await refused(harness.clients.usage.voidUsage({ ...request, reason: "" }))).toMatchObject({
      field: "reason",
    });
    expect(await refused(harness.clients.usage.voidUsage({ reason }))).toMatchObject({ field: "idempotency_keys" });
    for (const role of [Role.DEVELOPER, Role.BILLING]) await (await as(role)).voidUsage(request);
  });
});

const event = fc.record({
  metric: fc.constantFrom("SUM", "COUNT", "MAX", "UNIQUE"),
  amount: fc.nat({ max: 999_999 }).map((n) => `${n}.000000000001`),
  hour: fc.nat({ max: 3 }),
  ip: fc.constantFrom("1", "2", "é"),
});

test("buckets are exact against a recount, whatever is voided when, twice, by two, and with two folders", async () => {
  const harness = await measured();
  const { app, addApp, tenant } = harness;
  const second = await addApp();
  let keys = 0;
  const round = fc.record({
    events: fc.array(event, { maxLength: 12 }),
    /** Of all that were sent so far, this one included, as shares. */
    voids: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 6 }), async (rounds) => {
      for (const { events, voids } of rounds) {
        const sent = events.map((one) => ({ ...one, key: `key ${keys++}` }));
        const chosen = voids.map((share) => `key ${Math.floor(share * keys)}`);
        const take = () => (chosen.length > 0 ? voided(harness, ...chosen) : undefined);
        const send = () => (sent.length > 0 ? track(harness, sent) : undefined);
        const fold = [foldUsage(app, tenant.testId), foldUsage(second, tenant.testId)];
        await Promise.all([send(), take(), ...fold, take()]);
      }
      while ((await foldUsage(app, tenant.testId)) > 0);
      await expectExact(harness);
    }),
    { numRuns: 15 },
  );
});

test("a fold of voids that is killed has changed nothing, and the next one is exact", async () => {
  const harness = await measured();
  const { app, tenant, ownerDb } = harness;
  const one = { metric: "UNIQUE", amount: "1", hour: 0, ip: "1" };
  await track(harness, [
    { ...one, key: "a" },
    { ...one, key: "b", ip: "2" },
  ]);
  await harness.drain();
  await voided(harness, "a");
  const before = (await recount(harness)).folded;
  const block = await ownerDb.startTransaction().execute();
  await block.selectFrom("usage_value").selectAll().forUpdate().execute(); // the fold stops here
  const fold = foldUsage(app, tenant.testId).catch((error) => error);
  await terminateWaiting(ownerDb);
  expect(await fold).toBeInstanceOf(Error);
  await block.rollback().execute();
  expect((await recount(harness)).folded).toEqual(before);
  expect(await foldUsage(app, tenant.testId)).toBe(1);
  await expectExact(harness);
});
