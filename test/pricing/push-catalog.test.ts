import { clone, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Aggregation, CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { catalog } from "../support/catalog.ts";
import type { Clients } from "../support/clients.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

function catalogOf(json: JsonObject) {
  return fromJson(CatalogSchema, json);
}

/** The catalog with another platform fee. */
function withFee(amount: string) {
  const other = clone(CatalogSchema, catalog);
  const model = other.plans[0]?.prices[0]?.model;
  if (model?.case === "flat") model.value.amount = amount;
  return other;
}

async function pull(clients: Clients) {
  return (await clients.pricing.pullCatalog({})).catalog;
}

describe("pushCatalog", () => {
  test("publishes what pullCatalog answers, and pushing that again changes nothing", async () => {
    const { clients } = await setup();
    const pushed = await clients.pricing.pushCatalog({ catalog });
    expect(pushed.metrics).toEqual(["API_CALL", "EGRESS_BYTES"]);
    expect(pushed.plans).toMatchObject([{ key: "pro", version: 1 }]);
    const pulled = await pull(clients);
    expect(pulled).toMatchObject({ metrics: catalog.metrics, defaultPlan: "pro" });
    expect(pulled?.plans).toEqual([{ ...catalog.plans[0], version: 1 }]);
    for (const again of [catalog, pulled]) {
      expect(await clients.pricing.pushCatalog({ catalog: again })).toMatchObject({ metrics: [], plans: [] });
    }
    expect(await pull(clients)).toEqual(pulled);
  });

  test("makes the next version of a plan when its content is another, and keeps those before", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    const second = await clients.pricing.pushCatalog({ catalog: withFee("25.00") });
    expect(second.plans).toMatchObject([{ key: "pro", version: 2 }]);
    const third = await clients.pricing.pushCatalog({ catalog });
    expect(third.plans).toMatchObject([{ key: "pro", version: 3 }]);
    const fees = await Promise.all(
      [1, 2, 3, 0].map(async (version) => {
        const { plan } = await clients.pricing.getPlan({ key: "pro", version });
        return [plan?.version, plan?.prices[0]?.model.value];
      }),
    );
    expect(fees).toMatchObject([
      [1, { amount: "20.00" }],
      [2, { amount: "25.00" }],
      [3, { amount: "20.00" }],
      [3, { amount: "20.00" }],
    ]);
  });

  test("takes a decimal that is written otherwise for the same, and leaves it as it was first written", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    for (const same of ["20", "20.0", "020.000"]) {
      const again = await clients.pricing.pushCatalog({ catalog: withFee(same) });
      expect(again).toMatchObject({ plans: [], diff: { plans: [] } });
    }
    const { plan } = await clients.pricing.getPlan({ key: "pro" });
    expect([plan?.version, plan?.prices[0]?.model.value]).toMatchObject([1, { amount: "20.00" }]);
    const named = withFee("20");
    if (named.plans[0]) named.plans[0].name = "20.00"; // a name is no decimal
    const { diff } = await clients.pricing.pushCatalog({ catalog: named });
    expect(diff?.plans[0]?.changes).toMatchObject([{ path: "name", oldValue: "Pro", newValue: "20.00" }]);
  });

  test("leaves what the catalog does not name as it is", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    const seats = { metrics: [{ key: "SEATS", aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "user" }] };
    expect(await clients.pricing.pushCatalog({ catalog: catalogOf(seats) })).toMatchObject({ metrics: ["SEATS"] });
    expect(await pull(clients)).toMatchObject({
      metrics: [{ key: "API_CALL" }, { key: "EGRESS_BYTES" }, { key: "SEATS", uniqueProperty: "user" }],
      plans: [{ key: "pro" }],
      defaultPlan: "pro",
    });
  });

  test("warns of what is allowed and may not be meant, each time it is pushed", async () => {
    const { clients } = await setup();
    const volume = { tiers: [{ upTo: "200", unitAmount: "1" }, { unitAmount: "0.5" }] };
    const plan = { key: "pro", currency: "USD", period: "PERIOD_MONTHLY", prices: [{ key: "p", metric: "M", volume }] };
    const cliff = catalogOf({ metrics: [{ key: "M", aggregation: "AGGREGATION_SUM" }], plans: [plan] });
    const warnings = [
      {
        field: "catalog.plans[0].prices[0].volume.tiers[1]",
        message: "a larger quantity costs less: 200 costs 200, and just more than that 100",
      },
    ];
    expect(await clients.pricing.pushCatalog({ catalog: cliff })).toMatchObject({ plans: [{ version: 1 }], warnings });
    expect(await clients.pricing.pushCatalog({ catalog: cliff })).toMatchObject({ plans: [], warnings });
    expect(await clients.pricing.pushCatalog({ catalog })).toMatchObject({ warnings: [] });
  });

  test("keeps every term of a price, and makes the next version for any that changes", async () => {
    const { clients } = await setup();
    const bounds = { includedQuantity: "1", minimumAmount: "2", maximumAmount: "3" };
    const all = {
      percent: "2.9",
      fixedAmount: "0.3",
      freeEvents: 3,
      freeAmount: "9",
      minPerEvent: "1",
      maxPerEvent: "5",
    };
    const prices = (term: JsonObject, free: JsonObject) => [
      { key: "fee", metric: "M", percentage: { ...all, ...term } },
      {
        key: "calls",
        metric: "M",
        graduated: { tiers: [{ flatAmount: "1" }], billFlatAtZero: true },
        ...bounds,
        ...free,
      },
    ];
    const push = async (term: JsonObject, free: JsonObject, minimumAmount = "10") => {
      const plan = { key: "pro", currency: "USD", period: "PERIOD_MONTHLY", minimumAmount, prices: prices(term, free) };
      const whole = catalogOf({ metrics: [{ key: "M", aggregation: "AGGREGATION_SUM" }], plans: [plan] });
      const { plans } = await clients.pricing.pushCatalog({ catalog: whole });
      expect((await pull(clients))?.plans).toMatchObject(whole.plans.map(({ version: _, ...rest }) => rest));
      return plans.map(({ version }) => version);
    };
    expect(await push({}, {})).toEqual([1]);
    expect(await push({}, {})).toEqual([]);
    expect(await push({ freeEvents: 4 }, {})).toEqual([2]);
    expect(await push({ freeEvents: 4 }, { includedQuantity: "2" })).toEqual([3]);
    expect(await push({ freeEvents: 4 }, { includedQuantity: "2" }, "11")).toEqual([4]);
  });

  test("publishes nothing of a catalog with one error", async () => {
    const { clients } = await setup();
    const bad = clone(CatalogSchema, catalog);
    bad.defaultPlan = "nope";
    expect(await refused(clients.pricing.pushCatalog({ catalog: bad }))).toEqual({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_CATALOG,
      field: "catalog.default_plan",
    });
    expect(await pull(clients)).toMatchObject({ metrics: [], plans: [], defaultPlan: "" });
  });

  test("lets a metric change its name for ever, and what it measures only until it has usage", async () => {
    const { clients, drain } = await setup();
    const calls = (metric: JsonObject) => catalogOf({ metrics: [{ key: "API_CALL", ...metric }] });
    const push = (metric: JsonObject) => clients.pricing.pushCatalog({ catalog: calls(metric) });
    const frozen = (field: string) => ({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_CATALOG,
      field: `catalog.metrics[0].${field}`,
    });
    await push({ aggregation: "AGGREGATION_SUM" });
    await push({ aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "ip" });
    await clients.usage.trackUsage({ events: [{ metric: "API_CALL", customerId: "a", properties: { ip: "::1" } }] });
    // Accepted and not yet folded.
    expect(await refused(push({ aggregation: "AGGREGATION_COUNT" }))).toEqual(frozen("aggregation"));
    await drain();
    expect(await refused(push({ aggregation: "AGGREGATION_COUNT" }))).toEqual(frozen("aggregation"));
    expect(await refused(push({ aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "user" }))).toEqual(
      frozen("unique_property"),
    );
    await push({ aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "ip", name: "Calls", unit: "address" });
    expect((await pull(clients))?.metrics).toMatchObject([
      { name: "Calls", unit: "address", aggregation: Aggregation.UNIQUE, uniqueProperty: "ip" },
    ]);
  });

  test("moves the default plan to another one, and keeps it when the catalog names none", async () => {
    const { clients } = await setup();
    const plan = (key: string) => ({
      key,
      currency: "EUR",
      period: "PERIOD_MONTHLY",
      prices: [{ key: "fee", flat: { amount: "1" } }],
    });
    await clients.pricing.pushCatalog({ catalog: catalogOf({ plans: [plan("a"), plan("b")], defaultPlan: "b" }) });
    await clients.pricing.pushCatalog({ catalog: catalogOf({ defaultPlan: "a" }) });
    expect(await pull(clients)).toMatchObject({ defaultPlan: "a" });
    await clients.pricing.pushCatalog({ catalog: catalogOf({ plans: [plan("c")] }) });
    expect(await pull(clients)).toMatchObject({ defaultPlan: "a" });
  });

  test("makes one version after the other when many push at once", async () => {
    const { clients } = await setup();
    const pushes = Array.from({ length: 8 }, (_, i) => clients.pricing.pushCatalog({ catalog: withFee(`${i}.50`) }));
    const versions = (await Promise.all(pushes)).map(({ plans }) => plans[0]?.version);
    expect(versions.sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("shows no tenant what another one published", async () => {
    const { clients, clientsFor, addOrganization } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    const stranger = clientsFor((await addOrganization("Other")).testKey);
    expect(await pull(stranger)).toMatchObject({ metrics: [], plans: [], defaultPlan: "" });
    expect(await refused(stranger.pricing.getPlan({ key: "pro" }))).toMatchObject({ code: Code.NotFound });
  });
});

describe("plans", () => {
  test("are listed by key, page by page, in their latest version", async () => {
    const { clients } = await setup();
    const keys = ["a", "b", "c", "d", "e"];
    const plans = keys.map((key) => ({
      key,
      currency: "EUR",
      period: "PERIOD_MONTHLY",
      prices: [{ key: "fee", flat: { amount: "1" } }],
    }));
    await clients.pricing.pushCatalog({ catalog: catalogOf({ plans }) });
    await clients.pricing.pushCatalog({ catalog: catalogOf({ plans: [{ ...plans[2], name: "C" }] as JsonObject[] }) });
    const seen: string[] = [];
    for (let pageToken = "", pages = 0; pages === 0 || pageToken; pages++) {
      const page = await clients.pricing.listPlans({ pageSize: 2, pageToken });
      seen.push(...page.plans.map((plan) => `${plan.key} ${plan.version}`));
      pageToken = page.nextPageToken;
    }
    expect(seen).toEqual(["a 1", "b 1", "c 2", "d 1", "e 1"]);
  });

  test("of a version that there is not are not found", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    expect(await refused(clients.pricing.getPlan({ key: "pro", version: 2 }))).toMatchObject({ code: Code.NotFound });
    expect(await refused(clients.pricing.getPlan({ key: "nope" }))).toMatchObject({ code: Code.NotFound });
  });
});
