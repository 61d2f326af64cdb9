import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Aggregation, CatalogSchema, MetricSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { checkCatalog } from "../../server/pricing/check-catalog.ts";
import { detailOf } from "../../server/rpc/errors.ts";
import { catalog } from "../support/catalog.ts";

const knownMetric = create(MetricSchema, { key: "KNOWN", aggregation: Aggregation.SUM });
const known = { metrics: new Map([["KNOWN", knownMetric]]), plans: new Set(["basic"]) };
const metric = { key: "CALLS", aggregation: "AGGREGATION_SUM", dimensions: ["region", "model"] };
const flat = { key: "fee", flat: { amount: "1" } };
const tiered = (...bounds: string[]) => tiers("graduated", bounds);

function tiers(model: string, bounds: string[]): JsonObject {
  return { key: "calls", metric: "CALLS", [model]: { tiers: bounds.map((upTo) => ({ upTo, unitAmount: "1" })) } };
}

function planOf(...prices: JsonObject[]): JsonObject {
  return { metrics: [metric], plans: [{ key: "pro", currency: "USD", period: "PERIOD_MONTHLY", prices }] };
}

const calls = { key: "calls", metric: "CALLS" };
const perUnit = { ...calls, perUnit: { unitAmount: "1" } };
const inEurope = { property: "region", in: { values: ["eu", "uk"] } };
const percentage = (terms: JsonObject) => ({ ...calls, percentage: { percent: "2.9", ...terms } });

async function check(json: JsonObject) {
  try {
    await checkCatalog(fromJson(CatalogSchema, json), known);
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    const { reason, field } = detailOf(error);
    expect(reason).toBe(ErrorReason.INVALID_CATALOG);
    return { field, message: error.rawMessage };
  }
  return undefined;
}

describe("checkCatalog", () => {
  test("finds nothing wrong with the catalog of the first journey", async () => {
    await checkCatalog(catalog, known);
  });

  test.each<[string, JsonObject]>([
    ["a metric that exists already", planOf({ key: "calls", metric: "KNOWN", perUnit: { unitAmount: "1" } })],
    ["a default plan that exists already", { defaultPlan: "basic" }],
    ["no default plan", planOf(flat)],
    ["one tier without a bound", planOf(tiered(""))],
    ["a percentage of all", planOf(percentage({ percent: "100.000000000000000000" }))],
    ["a percentage with all its terms", planOf(percentage({ freeEvents: 3, minPerEvent: "1", maxPerEvent: "1.0" }))],
    ["a minimum that is the maximum", planOf({ ...perUnit, minimumAmount: "50", maximumAmount: "50.0" })],
    ["a price called minimum where the plan has none", planOf({ ...perUnit, key: "minimum" })],
    ["a filter and a group over dimensions", planOf({ ...perUnit, filter: [inEurope], groupBy: ["model", "region"] })],
    ["the same price key in two plans", { plans: ["a", "b"].map((key) => ({ key, currency: "USD", prices: [flat] })) }],
  ])("accepts %s", async (_, json) => {
    expect(await check(json)).toBeUndefined();
  });

  test.each<[string, JsonObject, string, string]>([
    [
      "a metric key used twice",
      { metrics: [metric, { key: "OTHER" }, metric] },
      "catalog.metrics[2].key",
      'must be unique, and "CALLS" is catalog.metrics[0].key too',
    ],
    [
      "a plan key used twice",
      { plans: ["a", "a"].map((key) => ({ key, currency: "USD", prices: [flat] })) },
      "catalog.plans[1].key",
      'must be unique, and "a" is catalog.plans[0].key too',
    ],
    [
      "a price key used twice",
      planOf(flat, flat),
      "catalog.plans[0].prices[1].key",
      'must be unique, and "fee" is catalog.plans[0].prices[0].key too',
    ],
    [
      "a currency that does not exist",
      { plans: [{ key: "a", currency: "ZZZ", prices: [flat] }] },
      "catalog.plans[0].currency",
      'must be an ISO 4217 code such as USD, and is "ZZZ"',
    ],
    [
      "a metric that does not exist",
      planOf(flat, { key: "x", metric: "NOPE", perUnit: { unitAmount: "1" } }),
      "catalog.plans[0].prices[1].metric",
      'must be a metric of this catalog or one that exists, and is "NOPE"',
    ],
    [
      "a flat price with a metric",
      planOf({ ...flat, metric: "CALLS" }),
      "catalog.plans[0].prices[0].metric",
      "must be empty: a flat price does not depend on usage",
    ],
    [
      "a metered price without a metric",
      planOf({ key: "x", perUnit: { unitAmount: "1" } }),
      "catalog.plans[0].prices[0].metric",
      "must name the metric that is priced; only a flat price has none",
    ],
    [
      "tiers out of order",
      planOf(tiered("10", "5", "")),
      "catalog.plans[0].prices[0].graduated.tiers[1].up_to",
      "must be more than 10, where this tier begins",
    ],
    [
      "a tier of no width",
      planOf(tiers("volume", ["10", "10.0", ""])),
      "catalog.plans[0].prices[0].volume.tiers[1].up_to",
      "must be more than 10, where this tier begins",
    ],
    [
      "a first tier up to 0",
      planOf(tiered("0", "")),
      "catalog.plans[0].prices[0].graduated.tiers[0].up_to",
      "must be more than 0, where this tier begins",
    ],
    [
      "a bound on the last tier",
      planOf(tiered("10", "20")),
      "catalog.plans[0].prices[0].graduated.tiers[1].up_to",
      "must be empty: the last tier has no bound",
    ],
    [
      "two tiers without a bound",
      planOf(tiered("10", "", "")),
      "catalog.plans[0].prices[0].graduated.tiers[1].up_to",
      "must be given: only the last tier has no bound",
    ],
    [
      "a package of nothing",
      planOf({ key: "x", metric: "CALLS", package: { size: "0.000", amount: "1" } }),
      "catalog.plans[0].prices[0].package.size",
      "must be more than 0",
    ],
    ["a price without a key", planOf(flat, { ...perUnit, key: "" }), "catalog.plans[0].prices[1].key", "must be given"],
    [
      "more than a hundred percent",
      planOf(percentage({ percent: "100.000000000000000001" })),
      "catalog.plans[0].prices[0].percentage.percent",
      "must be at most 100, and is 100.000000000000000001",
    ],
    [
      "an event's maximum below its minimum",
      planOf(percentage({ minPerEvent: "0.50", maxPerEvent: "0.49" })),
      "catalog.plans[0].prices[0].percentage.max_per_event",
      "must not be less than the minimum, 0.50",
    ],
    [
      "an event's maximum of nothing",
      planOf(percentage({ maxPerEvent: "0" })),
      "catalog.plans[0].prices[0].percentage.max_per_event",
      "must be more than 0, or empty for no maximum",
    ],
    [
      "a percentage with included units",
      planOf({ ...percentage({}), includedQuantity: "1" }),
      "catalog.plans[0].prices[0].included_quantity",
      "must be empty: a percentage has free_events and free_amount instead",
    ],
    [
      "a percentage of a metric that counts",
      { ...planOf(percentage({})), metrics: [{ key: "CALLS", aggregation: "AGGREGATION_COUNT" }] },
      "catalog.plans[0].prices[0].metric",
      'must be a SUM metric: a percentage is taken of amounts, and "CALLS" is none',
    ],
    [
      "a maximum below the minimum",
      planOf({ ...perUnit, minimumAmount: "50", maximumAmount: "49.999999999999999999" }),
      "catalog.plans[0].prices[0].maximum_amount",
      "must not be less than the minimum, 50",
    ],
    [
      "a maximum of nothing",
      planOf({ ...perUnit, maximumAmount: "0.00" }),
      "catalog.plans[0].prices[0].maximum_amount",
      "must be more than 0, or empty for no maximum",
    ],
    ...["includedQuantity", "minimumAmount", "maximumAmount"].map((field): [string, JsonObject, string, string] => [
      `a flat price with ${field}`,
      planOf({ ...flat, [field]: "1" }),
      `catalog.plans[0].prices[0].${field.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`)}`,
      "must be empty: a flat price does not depend on usage",
    ]),
    [
      "a price with the key of the plan's minimum",
      {
        metrics: [metric],
        plans: [{ key: "pro", currency: "USD", minimumAmount: "5", prices: [{ ...flat, key: "minimum" }] }],
      },
      "catalog.plans[0].prices[0].key",
      'must not be "minimum": the line for the plan\'s minimum amount has that key',
    ],
    [
      "a filter on a property that is no dimension",
      planOf(flat, { ...perUnit, filter: [inEurope, { property: "zone", exists: true }] }),
      "catalog.plans[0].prices[1].filter[1].property",
      'must be a dimension of the metric "CALLS", which declares region, model, and is "zone"',
    ],
    [
      "a filter over a metric without dimensions",
      planOf({ ...perUnit, metric: "KNOWN", filter: [inEurope] }),
      "catalog.plans[0].prices[0].filter[0].property",
      'must be a dimension of the metric "KNOWN", which declares none, and is "region"',
    ],
    [
      "two filters on one property",
      planOf({ ...perUnit, filter: [inEurope, { property: "region", equals: "eu" }] }),
      "catalog.plans[0].prices[0].filter[1].property",
      'must be unique, and there is a filter on "region" before',
    ],
    [
      "a group by a property that is no dimension",
      planOf({ ...perUnit, groupBy: ["region", "zone"] }),
      "catalog.plans[0].prices[0].group_by[1]",
      'must be a dimension of the metric "CALLS", which declares region, model, and is "zone"',
    ],
    [
      "a flat price with a filter",
      planOf({ ...flat, filter: [inEurope] }),
      "catalog.plans[0].prices[0].filter",
      "must be empty: a flat price does not depend on usage",
    ],
    [
      "a flat price with groups",
      planOf({ ...flat, groupBy: ["region"] }),
      "catalog.plans[0].prices[0].group_by",
      "must be empty: a flat price does not depend on usage",
    ],
    [
      "a default plan that does not exist",
      { ...planOf(flat), defaultPlan: "nope" },
      "catalog.default_plan",
      'must be a plan of this catalog or one that exists, and is "nope"',
    ],
  ])("refuses %s, with its path and what is allowed", async (_, json, field, message) => {
    expect(await check(json)).toEqual({ field, message });
  });
});
