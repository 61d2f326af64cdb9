import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { Aggregation } from "../../gen/usageflow/v1/pricing_pb.ts";
import { foldUsage, foldUsageOfAllTenants } from "../../server/usage/fold-usage.ts";
import { type Harness, setup } from "../support/harness.ts";
import { terminateWaiting } from "../support/waiting.ts";

const metrics = [
  { key: "SUM", aggregation: Aggregation.SUM },
  { key: "COUNT", aggregation: Aggregation.COUNT },
  { key: "MAX", aggregation: Aggregation.MAX },
  { key: "UNIQUE", aggregation: Aggregation.UNIQUE, uniqueProperty: "ip" },
];

interface Sent {
  metric: string;
  customer: string;
  amount: string;
  hour: number;
  ip: string;
}

function track({ clients }: Harness, sent: readonly Sent[]) {
  const events = sent.map(({ metric, customer, amount, hour, ip }) => ({
    metric,
    amount,
    customerId: customer,
    occurredAt: timestampFromDate(new Date(Date.UTC(2015, 4, 20, hour, 59, 59, 999))),
    properties: { ip },
  }));
  return clients.usage.trackUsage({ events });
}

/** Every bucket and every value, as they are and as a plain recount of all events has them. */
async function recount({ ownerDb }: Harness) {
  const hour = sql`date_trunc('hour', occurred_at, 'UTC')`;
  const [buckets, bucketsAgain, values, valuesAgain] = await Promise.all([
    sql`select customer_id, metric, hour, event_count, trim_scale(amount_sum) as sum, trim_scale(amount_max) as max
      from usage_bucket order by 1, 2, 3`.execute(ownerDb),
    sql`select customer_id, metric, ${hour} as hour, count(*) as event_count, trim_scale(sum(amount)) as sum,
      trim_scale(max(amount)) as max from usage_event group by 1, 2, 3 order by 1, 2, 3`.execute(ownerDb),
    sql`select customer_id, metric, hour, value from usage_value order by 1, 2, 3, 4`.execute(ownerDb),
    sql`select distinct customer_id, metric, ${hour} as hour, properties ->> 'ip' as value from usage_event
      where metric = 'UNIQUE' order by 1, 2, 3, 4`.execute(ownerDb),
  ]);
  return { folded: [buckets.rows, values.rows], counted: [bucketsAgain.rows, valuesAgain.rows] };
}

async function expectExact(harness: Harness): Promise<void> {
  const { folded, counted } = await recount(harness);
  expect(folded).toEqual(counted);
  expect(await harness.ownerDb.selectFrom("usage_batch").selectAll().execute()).toEqual([]);
}

const amount = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n - 1n }), fc.nat({ max: 999_999_999 }))
  .map(([whole, rest]) => `${whole}.${String(rest).padStart(12, "0")}`);
const event = fc.record({
  metric: fc.constantFrom("SUM", "COUNT", "MAX", "UNIQUE"),
  customer: fc.constantFrom("ann", "bob", "eve"),
  amount,
  hour: fc.nat({ max: 3 }),
  ip: fc.constantFrom("1", "2", "3", "é"),
});

test("buckets are exact against a recount, with two folders at the same time and usage still coming", async () => {
  const harness = await setup();
  const { app, addApp, tenant, clients } = harness;
  await clients.pricing.pushCatalog({ catalog: { metrics } });
  const second = await addApp();
  const batches = fc.array(fc.array(event, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(batches, async (list) => {
      for (const batch of list) {
        await Promise.all([track(harness, batch), foldUsage(app, tenant.testId), foldUsage(second, tenant.testId)]);
      }
      await Promise.all([foldUsage(app, tenant.testId), foldUsage(second, tenant.testId)]);
      await foldUsage(app, tenant.testId);
      await expectExact(harness);
    }),
    { numRuns: 20 },
  );
});

test("every batch has one fold number, and numbers grow by one", async () => {
  const harness = await setup();
  const { app, tenant, clients, ownerDb } = harness;
  await clients.pricing.pushCatalog({ catalog: { metrics } });
  const one = { metric: "SUM", customer: "ann", amount: "1", hour: 0, ip: "1" };
  await track(harness, [one]);
  await track(harness, [one]);
  expect(await foldUsage(app, tenant.testId)).toBe(2);
  expect(await foldUsage(app, tenant.testId)).toBe(0);
  await track(harness, [one]);
  expect(await foldUsage(app, tenant.testId)).toBe(1);
  const folds = await ownerDb.selectFrom("usage_fold").select("number").orderBy("number").execute();
  expect(folds.map((fold) => fold.number)).toEqual([1n, 1n, 2n]);
  const events = await ownerDb.selectFrom("usage_event").select("batch_id").distinct().execute();
  expect(events).toHaveLength(3);
});

test("late usage goes into the hour in which it happened, the last millisecond included", async () => {
  const harness = await setup();
  const { app, tenant, clients, ownerDb } = harness;
  await clients.pricing.pushCatalog({ catalog: { metrics } });
  for (const hour of [3, 0, 3]) {
    await track(harness, [{ metric: "SUM", customer: "ann", amount: "1.5", hour, ip: "1" }]);
    await foldUsage(app, tenant.testId);
  }
  const buckets = await ownerDb.selectFrom("usage_bucket").select(["hour", "amount_sum"]).orderBy("hour").execute();
  expect(buckets).toEqual([
    { hour: new Date("2015-05-20T00:00:00Z"), amount_sum: "1.5" },
    { hour: new Date("2015-05-20T03:00:00Z"), amount_sum: "3.0" },
  ]);
});

test("a fold that fails half-way has changed nothing, and the next one is exact", async () => {
  const harness = await setup();
  const { app, tenant, clients, ownerDb } = harness;
  await clients.pricing.pushCatalog({ catalog: { metrics } });
  const one = { metric: "SUM", customer: "ann", amount: "0.1", hour: 0, ip: "1" };
  await track(harness, [one]);
  await foldUsage(app, tenant.testId);
  await track(harness, [one, { ...one, customer: "bob" }]);
  const before = await recount(harness);
  const block = await ownerDb.startTransaction().execute();
  await block.selectFrom("usage_bucket").selectAll().forUpdate().execute(); // the fold stops here
  const fold = foldUsage(app, tenant.testId).catch((error) => error);
  await terminateWaiting(ownerDb);
  expect(await fold).toBeInstanceOf(Error);
  await block.rollback().execute();
  expect((await recount(harness)).folded).toEqual(before.folded);
  expect(await ownerDb.selectFrom("usage_progress").select("last_number").execute()).toEqual([{ last_number: 1n }]);
  expect(await foldUsage(app, tenant.testId)).toBe(1);
  await expectExact(harness);
});

test("one pass folds for every tenant that has usage waiting", async () => {
  const harness = await setup();
  const { app, tenant, clientsFor, ownerDb } = harness;
  const live = clientsFor(tenant.liveKey);
  for (const clients of [harness.clients, live]) {
    await clients.pricing.pushCatalog({ catalog: { metrics } });
    await clients.usage.trackUsage({ events: [{ metric: "COUNT", customerId: "ann" }] });
  }
  expect(await foldUsageOfAllTenants(app)).toBe(2);
  expect(await foldUsageOfAllTenants(app)).toBe(0);
  expect(await ownerDb.selectFrom("usage_bucket").select(["tenant_id", "event_count"]).execute()).toHaveLength(2);
});
