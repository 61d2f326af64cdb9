import { clone } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { Alignment, CatalogSchema, type Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { subscribeArrivals } from "../../server/pricing/subscribe-arrivals.ts";
import { timesOf } from "../support/cadence.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, setup } from "../support/harness.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour.

const withoutDefault = clone(CatalogSchema, catalog);
withoutDefault.defaultPlan = "";

async function use({ clients }: Harness, customerId: string, ...times: string[]) {
  const events = times.map((time) => ({
    metric: "API_CALL",
    amount: "1",
    customerId,
    occurredAt: timestampFromDate(new Date(time)),
  }));
  await clients.usage.trackUsage({ events, backfill: true });
}

/** Who is subscribed to what, and since when. */
async function subscriptions({ clients }: Harness) {
  const { subscriptions } = await clients.pricing.listSubscriptions({ pageSize: 1_000 });
  return subscriptions.map(({ customerId, plan, planVersion, startedAt }) => {
    const since = startedAt ? timestampDate(startedAt).toISOString() : "";
    return `${customerId} ${plan} ${planVersion} ${since.slice(0, 10)}`;
  });
}

/** A harness whose default plan is the catalog's with other periods or a trial. */
async function arriving(change: Partial<Plan>): Promise<Harness> {
  const harness = await setup();
  const plans = catalog.plans.map((plan) => ({ ...plan, ...change }));
  await harness.clients.pricing.pushCatalog({ catalog: { ...catalog, plans } });
  return harness;
}

/** Who is subscribed, with the times of the subscription. */
async function beginnings({ clients }: Harness): Promise<string[]> {
  const { subscriptions } = await clients.pricing.listSubscriptions({});
  return subscriptions.map((subscription) => `${subscription.customerId} ${timesOf(subscription)}`);
}

describe("subscribeArrivals", () => {
  test("subscribes a customer first seen in usage to the default plan, once", async () => {
    const harness = await setup();
    await harness.clients.pricing.pushCatalog({ catalog });
    await use(harness, "ann", "2015-05-20T00:00:00Z", "2015-05-03T00:00:00Z");
    await harness.drain();
    expect(await subscriptions(harness)).toEqual(["ann pro 1 2015-05-01"]);
    await use(harness, "ann", "2015-05-20T12:00:00Z");
    await harness.drain();
    expect(await subscriptions(harness)).toEqual(["ann pro 1 2015-05-01"]);
  });

  test("begins with the earliest period that is not closed where the usage is older", async () => {
    const harness = await setup();
    await harness.clients.pricing.pushCatalog({ catalog });
    await use(harness, "ann", "2015-04-30T23:59:59Z");
    await use(harness, "bob", "2014-01-01T00:00:00Z", "2015-05-20T00:00:00Z");
    await harness.drain();
    expect(await subscriptions(harness)).toEqual(["ann pro 1 2015-05-01", "bob pro 1 2015-05-01"]);
  });

  test("begins with the period before while its grace period runs, and bills it", async () => {
    const harness = await setup();
    await harness.clients.pricing.pushCatalog({ catalog });
    await harness.advanceTo("2015-06-01T00:30:00Z");
    await use(harness, "ann", "2015-05-31T23:00:00Z");
    await use(harness, "bob", "2015-06-01T00:10:00Z");
    await harness.drain();
    expect(await subscriptions(harness)).toEqual(["ann pro 1 2015-05-01", "bob pro 1 2015-06-01"]);
    await harness.advanceTo("2015-06-01T01:00:00Z");
    await use(harness, "cat", "2015-05-31T23:00:00Z");
    await harness.drain();
    expect((await subscriptions(harness))[2]).toBe("cat pro 1 2015-06-01");
    const { invoices } = await harness.clients.invoice.listInvoices({});
    expect(invoices.map(({ customerId, number }) => [customerId, number])).toEqual([["ann", "INV-000001"]]);
  });

  test("begins with the period to come where the first usage is some minutes ahead, in it", async () => {
    const harness = await setup();
    await harness.clients.pricing.pushCatalog({ catalog });
    await harness.advanceTo("2015-06-30T23:58:00Z");
    await use(harness, "ann", "2015-07-01T00:01:00Z");
    await harness.drain();
    expect(await subscriptions(harness)).toEqual(["ann pro 1 2015-07-01"]);
  });

  test("leaves customers waiting while there is no default plan, and subscribes them when one is set", async () => {
    const harness = await setup();
    await harness.clients.pricing.pushCatalog({ catalog: withoutDefault });
    await use(harness, "ann", "2015-05-20T00:00:00Z");
    await harness.drain();
    expect(await subscriptions(harness)).toEqual([]);
    await harness.clients.pricing.pushCatalog({ catalog });
    await harness.drain();
    expect(await subscriptions(harness)).toEqual(["ann pro 1 2015-05-01"]);
  });

  test("begins with the hour of the first usage where periods are anniversaries, unless that period is closed", async () => {
    const harness = await arriving({ alignment: Alignment.ANNIVERSARY });
    await use(harness, "ann", "2015-05-20T17:45:00Z", "2015-05-21T00:00:00Z");
    await use(harness, "bob", "2015-04-20T22:00:00Z", "2015-04-20T23:59:59Z"); // a month and the grace period before
    await use(harness, "cat", "2014-01-01T00:00:00Z", "2015-04-21T00:30:00Z");
    await harness.drain();
    expect(await beginnings(harness)).toEqual([
      "ann 2015-05-20T17 - 2015-05-20T17 2015-06-20T17 -",
      "bob 2015-05-21 - 2015-05-21 2015-06-21 -",
      "cat 2015-04-21 - 2015-05-21 2015-06-21 -", // its first period has just ended
    ]);
  });

  test("begins a trial with the hour of the first usage", async () => {
    const harness = await arriving({ trialDays: 10 });
    await use(harness, "ann", "2015-05-20T17:45:00Z");
    await use(harness, "bob", "2015-04-30T23:59:59Z");
    await harness.drain();
    expect(await beginnings(harness)).toEqual([
      "ann 2015-05-20T17 2015-05-30T17 2015-05-30T17 2015-06-01 -",
      "bob 2015-05-21 2015-05-31 2015-05-31 2015-06-01 -",
    ]);
  });

  test("takes the latest version of the plan", async () => {
    const harness = await setup();
    await harness.clients.pricing.pushCatalog({ catalog });
    const [pro] = catalog.plans;
    if (!pro) throw new Error("a catalog without a plan");
    await harness.clients.pricing.pushCatalog({ catalog: { plans: [{ ...pro, name: "Pro 2" }] } });
    await use(harness, "ann", "2015-05-20T00:00:00Z");
    await harness.drain();
    expect(await subscriptions(harness)).toEqual(["ann pro 2 2015-05-01"]);
  });

  test("leaves alone who was subscribed to another plan meanwhile", async () => {
    const harness = await setup();
    const [pro] = catalog.plans;
    if (!pro) throw new Error("a catalog without a plan");
    const plans = [pro, { ...pro, key: "enterprise" }];
    await harness.clients.pricing.pushCatalog({ catalog: { ...withoutDefault, plans } });
    await use(harness, "ann", "2015-05-20T00:00:00Z");
    await harness.drain();
    await harness.clients.pricing.startSubscription({ customerId: "ann", plan: "enterprise" });
    await harness.clients.pricing.pushCatalog({ catalog });
    await harness.drain();
    expect(await subscriptions(harness)).toEqual(["ann enterprise 1 2015-05-01"]);
    expect(await harness.ownerDb.selectFrom("customer_arrival").selectAll().execute()).toEqual([]);
  });

  test("goes through many in batches, in the order of their ids, also with two workers at it", async () => {
    const harness = await setup();
    const customers = Array.from({ length: 1_001 }, (_, i) => `c${String(i).padStart(4, "0")}`);
    await harness.clients.pricing.pushCatalog({ catalog: withoutDefault });
    for (const half of [customers.slice(0, 600), customers.slice(600)]) {
      const events = half.map((customerId) => ({ metric: "API_CALL", amount: "1", customerId }));
      await harness.clients.usage.trackUsage({ events });
    }
    await harness.drain();
    await harness.clients.pricing.pushCatalog({ catalog });
    const { tenant, app, addApp } = harness;
    const work = async (worker: typeof app) => {
      let done = 0;
      for (let step = 1; step > 0; done += step) step = await subscribeArrivals(worker, tenant.testId);
      return done;
    };
    const [one, other] = await Promise.all([work(app), work(await addApp())]);
    expect(one + other).toBe(1_001);
    const rows = await harness.ownerDb.selectFrom("subscription").select("customer_id").orderBy("id").execute();
    expect(rows.map((row) => row.customer_id)).toEqual(customers);
  });
});
