import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { catalog } from "../support/catalog.ts";
import type { Clients } from "../support/clients.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

/** A plan with a fee, and with calls if their amount is given; made from a version, if that is. */
function proOf(fee: string, { calls = "", version = 0, defaultPlan = "" } = {}) {
  const prices: JsonObject[] = [{ key: "base", flat: { amount: fee } }];
  if (calls) prices.push({ key: "calls", metric: "CALLS", perUnit: { unitAmount: calls } });
  const plan = { key: "pro", currency: "USD", period: "PERIOD_MONTHLY", version, prices };
  return fromJson(CatalogSchema, {
    metrics: [{ key: "CALLS", aggregation: "AGGREGATION_SUM" }],
    plans: [plan],
    defaultPlan,
  });
}

const pull = async (clients: Clients) => (await clients.pricing.pullCatalog({})).catalog;

describe("the diff of a push", () => {
  test("says what is new, and nothing when nothing changes", async () => {
    const { clients } = await setup();
    const first = await clients.pricing.pushCatalog({ catalog: proOf("20", { calls: "0.05", defaultPlan: "pro" }) });
    expect(first.diff).toMatchObject({
      metrics: [{ key: "CALLS", isNew: true, changes: [{ path: "aggregation", oldValue: "", newValue: "SUM" }] }],
      plans: [
        {
          key: "pro",
          oldVersion: 0,
          newVersion: 1,
          isDefault: true,
          changes: [
            { path: "currency", newValue: "USD" },
            { path: "period", newValue: "MONTHLY" },
            { path: "prices.base", newValue: "{flat: {amount: 20}}" },
            { path: "prices.calls", newValue: "{metric: CALLS, perUnit: {unitAmount: 0.05}}" },
          ],
        },
      ],
      defaultPlan: { path: "defaultPlan", oldValue: "", newValue: "pro" },
      metricsLeftAlone: [],
      plansLeftAlone: [],
    });
    const again = await clients.pricing.pushCatalog({ catalog: proOf("20", { calls: "0.05" }) });
    expect(again.diff).toMatchObject({ metrics: [], plans: [], metricsLeftAlone: [], plansLeftAlone: [] });
    expect(again.diff?.defaultPlan).toBeUndefined();
  });

  test("counts the subscriptions that stay on each version before, without those that are over", async () => {
    const harness = await setup();
    const { clients } = harness;
    const subscribe = (customerId: string) => clients.pricing.startSubscription({ customerId, plan: "pro" });
    await clients.pricing.pushCatalog({ catalog: proOf("20") });
    const over = await subscribe("over");
    await clients.pricing.endSubscription({ id: over.subscription?.id ?? "" });
    await harness.advanceTo("2015-06-02T00:00:00Z");
    for (const customer of ["ann", "bob"]) await subscribe(customer);
    await clients.pricing.pushCatalog({ catalog: proOf("21") });
    await subscribe("cyd");
    const { diff } = await clients.pricing.pushCatalog({ catalog: proOf("22"), dryRun: true });
    expect(diff?.plans).toMatchObject([
      {
        oldVersion: 2,
        newVersion: 3,
        changes: [{ path: "prices.base.flat.amount", oldValue: "21", newValue: "22" }],
        staying: [
          { version: 1, count: 2n },
          { version: 2, count: 1n },
        ],
        isDefault: false,
      },
    ]);
  });

  test("names what the catalog leaves alone", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    const { diff } = await clients.pricing.pushCatalog({
      catalog: fromJson(CatalogSchema, {
        metrics: [{ key: "API_CALL", aggregation: "AGGREGATION_SUM", unit: "call" }],
      }),
    });
    expect(diff).toMatchObject({
      metrics: [
        {
          key: "API_CALL",
          isNew: false,
          changes: [
            { path: "name", oldValue: "API calls", newValue: "" },
            { path: "unit", oldValue: "", newValue: "call" },
          ],
        },
      ],
      metricsLeftAlone: ["EGRESS_BYTES"],
      plansLeftAlone: ["pro"],
    });
  });
});

describe("a dry run", () => {
  test("answers what the push then does, and changes nothing", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    const before = await pull(clients);
    const next = proOf("25", { calls: "1", defaultPlan: "pro" });
    const dry = await clients.pricing.pushCatalog({ catalog: next, dryRun: true });
    expect(await pull(clients)).toEqual(before);
    expect(dry.plans).toMatchObject([{ key: "pro", version: 2 }]);
    expect(await clients.pricing.pushCatalog({ catalog: next })).toEqual(dry);
  });

  test("is refused as the push would be", async () => {
    const { clients } = await setup();
    const bad = fromJson(CatalogSchema, { defaultPlan: "nope" });
    expect(await refused(clients.pricing.pushCatalog({ catalog: bad, dryRun: true }))).toMatchObject({
      reason: ErrorReason.INVALID_CATALOG,
      field: "catalog.default_plan",
    });
    await clients.pricing.pushCatalog({ catalog });
    await clients.usage.trackUsage({ events: [{ metric: "API_CALL", amount: "1", customerId: "a" }] });
    const counted = fromJson(CatalogSchema, { metrics: [{ key: "API_CALL", aggregation: "AGGREGATION_COUNT" }] });
    await expect(clients.pricing.pushCatalog({ catalog: counted, dryRun: true })).rejects.toThrow(
      'metric "API_CALL" has usage (1 event) and must keep counting as it does; give the new one another key',
    );
  });

  test("leaves its idempotency key to the push", async () => {
    const { clients } = await setup();
    const headers = { "idempotency-key": "one" };
    const dryRun = () => clients.pricing.pushCatalog({ catalog, dryRun: true }, { headers });
    expect(await dryRun()).toMatchObject({ plans: [{ version: 1 }] });
    expect(await clients.pricing.pushCatalog({ catalog }, { headers })).toMatchObject({ plans: [{ version: 1 }] });
    expect(await dryRun()).toMatchObject({ plans: [] });
    expect(await clients.pricing.pushCatalog({ catalog }, { headers })).toMatchObject({ plans: [{ version: 1 }] });
  });
});

describe("a push from a version that is not the latest", () => {
  /** Version 1 is what both began with; version 2 is the other's. */
  async function raced() {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog: proOf("20") });
    await clients.pricing.pushCatalog({ catalog: proOf("20", { calls: "0.05", version: 1 }) });
    return clients;
  }
  const conflict = {
    code: Code.FailedPrecondition,
    reason: ErrorReason.STATE_CONFLICT,
    field: "catalog.plans[0].version",
  };

  test("is refused with what would be lost, and publishes nothing", async () => {
    const clients = await raced();
    const push = (dryRun: boolean) => clients.pricing.pushCatalog({ catalog: proOf("30", { version: 1 }), dryRun });
    for (const dryRun of [true, false]) expect(await refused(push(dryRun))).toEqual(conflict);
    await expect(push(false)).rejects.toThrow(
      'was made from version 1 of "pro", and the latest is 2. Publishing this would lose of the latest: ' +
        "prices.calls {metric: CALLS, perUnit: {unitAmount: 0.05}} (here not given). Take these over and say version 2, " +
        "leave the version out, or force the push",
    );
    expect(await pull(clients)).toMatchObject({ plans: [{ version: 2 }] });
  });

  test("goes through when it has all that was published since, and other changes besides", async () => {
    const clients = await raced();
    const mine = proOf("30", { calls: "0.05", version: 1 });
    expect(await clients.pricing.pushCatalog({ catalog: mine })).toMatchObject({ plans: [{ version: 3 }] });
    // The file still says version 1, and holds what is published.
    expect(await clients.pricing.pushCatalog({ catalog: mine })).toMatchObject({ plans: [] });
  });

  test("is refused when both changed the same price", async () => {
    const clients = await raced();
    expect(await refused(clients.pricing.pushCatalog({ catalog: proOf("20", { calls: "0.04", version: 1 }) }))).toEqual(
      conflict,
    );
  });

  test("goes through by force, and says what was lost", async () => {
    const clients = await raced();
    const forced = await clients.pricing.pushCatalog({ catalog: proOf("30", { version: 1 }), force: true });
    expect(forced).toMatchObject({ plans: [{ version: 3 }], diff: { plans: [{ lost: [{ path: "prices.calls" }] }] } });
  });

  test("goes through without a version, as the plan of a tenant that has none, and from the latest", async () => {
    const clients = await raced();
    expect(await clients.pricing.pushCatalog({ catalog: proOf("30") })).toMatchObject({ plans: [{ version: 3 }] });
    const fromLatest = proOf("31", { version: 3 });
    expect(await clients.pricing.pushCatalog({ catalog: fromLatest })).toMatchObject({ plans: [{ version: 4 }] });
    const fresh = (await setup()).clients;
    expect(await fresh.pricing.pushCatalog({ catalog: fromLatest })).toMatchObject({ plans: [{ version: 1 }] });
  });

  test("that there is not is refused, unless the plan is the same", async () => {
    const clients = await raced();
    const other = clients.pricing.pushCatalog({ catalog: proOf("20", { calls: "0.04", version: 9 }) });
    expect(await refused(other)).toEqual(conflict);
    const same = proOf("20", { calls: "0.05", version: 9 });
    expect(await clients.pricing.pushCatalog({ catalog: same })).toMatchObject({ plans: [] });
  });
});
