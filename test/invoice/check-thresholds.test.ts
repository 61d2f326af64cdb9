import { fromJson, fromJsonString } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { CatalogSchema, ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { checkThresholds } from "../../server/invoice/check-thresholds.ts";
import { detailOf } from "../../server/rpc/errors.ts";
import { foldUsage } from "../../server/usage/fold-usage.ts";
import { use } from "../support/billing.ts";
import { type Harness, setup } from "../support/harness.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z.

const catalog = fromJson(CatalogSchema, {
  metrics: [{ key: "API_CALL", aggregation: "AGGREGATION_SUM" }],
  plans: [
    {
      key: "pro",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      minimumAmount: "500",
      prices: [
        { key: "base", flat: { amount: "20.00" } },
        { key: "calls", metric: "API_CALL", perUnit: { unitAmount: "0.01" } },
      ],
    },
  ],
  defaultPlan: "pro",
});

async function subscribed(
  ...amounts: string[]
): Promise<Harness & { id: string; set: (...to: string[]) => Promise<void> }> {
  const harness = await setup();
  const { pricing } = harness.clients;
  await pricing.pushCatalog({ catalog });
  const { subscription } = await pricing.startSubscription({ customerId: "ann", plan: "pro" });
  const id = subscription?.id ?? "";
  const set = async (...to: string[]) => void (await pricing.setSpendThresholds({ id, amounts: to }));
  if (amounts.length > 0) await set(...amounts);
  return { ...harness, id, set };
}

/** What was told, in order: customer, start of the period, threshold, amount in minor units. */
async function told({ ownerDb }: Harness): Promise<string[]> {
  const events = await ownerDb
    .selectFrom("outbox_event")
    .select("data")
    .where("type", "=", "usage.threshold_reached")
    .orderBy("id")
    .execute();
  return events.map(({ data }) => {
    const { threshold } = fromJsonString(EventDataSchema, data);
    if (!threshold?.periodStart) throw new Error("an event without its fact");
    const start = timestampDate(threshold.periodStart).toISOString().slice(0, 10);
    return `${threshold.customerId} ${start} ${threshold.thresholdAmount} ${threshold.amountMinor}`;
  });
}

describe("a spend threshold", () => {
  test("of each of a customer's subscriptions is looked at when their periods open together", async () => {
    const harness = await subscribed("10.00");
    const { pricing } = harness.clients;
    await pricing.pushCatalog({
      catalog: { ...catalog, plans: catalog.plans.map((plan) => ({ ...plan, key: "side" })), defaultPlan: "side" },
    });
    const { subscription } = await pricing.startSubscription({ customerId: "ann", plan: "side" });
    await pricing.setSpendThresholds({ id: subscription?.id ?? "", amounts: ["10.00"] });
    await harness.drain();
    await harness.advanceTo("2015-06-02T00:00:00Z");
    await use(harness, "ann", "1000", "2015-06-01T12:00:00Z");
    await harness.drain();
    expect(await told(harness)).toHaveLength(2);
  });

  test("is told of when usage reaches it, with all that is to be known, at the tenant's time", async () => {
    const harness = await subscribed("10.00");
    await use(harness, "ann", "999", "2015-05-20T00:00:00Z");
    await harness.drain();
    expect(await told(harness)).toEqual([]);
    await harness.advanceTo("2015-05-25T07:00:00Z");
    await use(harness, "ann", "1.5", "2015-05-24T00:00:00Z");
    await harness.drain();
    const event = await harness.ownerDb
      .selectFrom("outbox_event")
      .selectAll()
      .where("type", "=", "usage.threshold_reached")
      .executeTakeFirstOrThrow();
    expect(event.occurred_at.toISOString()).toBe("2015-05-25T07:00:00.000Z");
    expect(JSON.parse(event.data)).toEqual({
      threshold: {
        subscriptionId: harness.id,
        customerId: "ann",
        plan: "pro",
        planVersion: 1,
        periodStart: "2015-05-01T00:00:00Z",
        periodEnd: "2015-06-01T00:00:00Z",
        currency: "USD",
        thresholdAmount: "10",
        amountMinor: "1001", // 10.005 on the line, which is rounded; the fee and the minimum do not count
      },
    });
  });

  test("is told of once in each period, and the lower ones first", async () => {
    const harness = await subscribed("5", "5.01", "40");
    await use(harness, "ann", "501", "2015-05-20T00:00:00Z");
    await harness.drain();
    const may = ["ann 2015-05-01 5 501", "ann 2015-05-01 5.01 501"];
    expect(await told(harness)).toEqual(may);
    await use(harness, "ann", "1", "2015-05-20T00:00:00Z");
    await harness.drain();
    expect(await told(harness)).toEqual(may);
    await harness.advanceTo("2015-06-03T00:00:00Z");
    await use(harness, "ann", "5000", "2015-06-02T00:00:00Z");
    await harness.drain();
    expect(await told(harness)).toEqual([
      ...may,
      "ann 2015-06-01 5 5000",
      "ann 2015-06-01 5.01 5000",
      "ann 2015-06-01 40 5000",
    ]);
  });

  test("that is set when it is reached already is told of at once; set again, it is not told of anew", async () => {
    const harness = await subscribed();
    await use(harness, "ann", "700", "2015-05-20T00:00:00Z");
    await harness.drain();
    await harness.set("5.0", "7.00", "8");
    await harness.drain();
    const once = ["ann 2015-05-01 5 700", "ann 2015-05-01 7 700"];
    expect(await told(harness)).toEqual(once);
    await harness.set();
    await harness.set("7", "8");
    await harness.drain();
    expect(await told(harness)).toEqual(once);
  });

  test("counts usage that came in just before its period was opened, for that period", async () => {
    const harness = await subscribed("1");
    await harness.advanceTo("2015-05-31T23:59:00Z");
    await use(harness, "ann", "300", "2015-06-01T00:02:00Z");
    await harness.drain();
    expect(await told(harness)).toEqual([]);
    await harness.advanceTo("2015-06-01T00:00:00Z");
    expect(await told(harness)).toEqual(["ann 2015-06-01 1 300"]);
  });

  test("counts anew in the period that a change of plan begins, and not before usage comes", async () => {
    const harness = await subscribed("5");
    const { pricing } = harness.clients;
    await use(harness, "ann", "600", "2015-05-20T00:00:00Z");
    await harness.drain();
    const dearer = { ...catalog, plans: catalog.plans.map((plan) => ({ ...plan, key: "max" })) };
    await pricing.pushCatalog({ catalog: dearer });
    await harness.advanceTo("2015-05-22T00:00:00Z");
    await pricing.changeSubscription({ id: harness.id, plan: "max", timing: ChangeTiming.NOW });
    await harness.drain();
    expect(await told(harness)).toEqual(["ann 2015-05-01 5 600"]);
    await use(harness, "ann", "500", "2015-05-22T00:00:00Z");
    await harness.drain();
    expect(await told(harness)).toEqual(["ann 2015-05-01 5 600", "ann 2015-05-22 5 500"]);
  });

  test("is seen on its subscription, and goes with all others when none are set", async () => {
    const { clients, id, set } = await subscribed("1.50", "007");
    const thresholds = async () => (await clients.pricing.getSubscription({ id })).subscription?.spendThresholds;
    expect(await thresholds()).toEqual(["1.5", "7"]);
    await set();
    expect(await thresholds()).toEqual([]);
  });

  test("is told of once by four workers at it, for each of many subscriptions", async () => {
    const harness = await setup();
    const { clients, tenant, app, addApp, ownerDb } = harness;
    await clients.pricing.pushCatalog({ catalog });
    const customers = Array.from({ length: 600 }, (_, i) => `c${String(i).padStart(3, "0")}`);
    const track = (amount: string) =>
      clients.usage.trackUsage({ events: customers.map((customerId) => ({ metric: "API_CALL", amount, customerId })) });
    await track("1");
    await harness.drain();
    // As so many calls do.
    await sql`update subscription set spend_thresholds = '{1,2}'`.execute(ownerDb);
    await sql`insert into usage_watch select tenant_id, customer_id, 'THRESHOLDS', 'infinity' from subscription`.execute(
      ownerDb,
    );
    const workers = [app, await addApp(), await addApp(), await addApp()];
    const work = async (worker: typeof app) => {
      for (let done = 1; done > 0; ) {
        done = (await foldUsage(worker, tenant.testId)) + (await checkThresholds(worker, tenant.testId));
      }
    };
    await Promise.all([track("150"), track("50"), ...workers.map(work)]);
    await harness.drain();
    const facts = (await told(harness)).map((text) => text.split(" ").slice(0, 3).join(" "));
    const expected = customers.flatMap((customer) => ["1", "2"].map((amount) => `${customer} 2015-05-01 ${amount}`));
    expect(facts.sort()).toEqual(expected);
  });
});

describe("SetSpendThresholds", () => {
  const refusal = async (call: Promise<unknown>) => {
    const error = ConnectError.from(await call.catch((error) => error));
    return [error.code, detailOf(error).field];
  };

  test("refuses amounts that do not grow, are nothing, negative or too many, with their place", async () => {
    const { set } = await subscribed();
    expect(await refusal(set("1", "1.0"))).toEqual([3, "amounts[1]"]);
    expect(await refusal(set("2", "3", "1"))).toEqual([3, "amounts[2]"]);
    expect(await refusal(set("0.00"))).toEqual([3, "amounts[0]"]);
    expect(await refusal(set("-1"))).toEqual([3, "amounts[0]"]);
    expect(await refusal(set("1e3"))).toEqual([3, "amounts[0]"]);
    expect(await refusal(set(...Array.from({ length: 11 }, (_, i) => `${i + 1}`)))).toEqual([3, "amounts"]);
  });

  test("refuses a subscription that is over", async () => {
    const harness = await subscribed("1");
    await harness.clients.pricing.endSubscription({ id: harness.id });
    await harness.advanceTo("2015-07-01T00:00:00Z");
    expect(await refusal(harness.set("2"))).toEqual([9, ""]);
    const at = timestampFromDate(new Date("2015-06-15T00:00:00Z"));
    await harness.clients.usage.trackUsage({
      events: [{ metric: "API_CALL", amount: "900", customerId: "ann", occurredAt: at }],
    });
    await harness.drain();
    expect(await told(harness)).toEqual([]);
  });
});
