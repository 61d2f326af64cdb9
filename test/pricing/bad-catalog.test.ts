import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// Catalogs that are not published, as a caller hears of them: with a reason, and the path of the field at fault.

const { INVALID_CATALOG, INVALID_FIELD, TOO_LARGE } = ErrorReason;

const fee = { key: "fee", flat: { amount: "1" } };
const planOf = (plan: JsonObject) => ({
  metrics: [{ key: "CALLS", aggregation: "AGGREGATION_SUM" }],
  plans: [{ key: "pro", currency: "USD", period: "PERIOD_MONTHLY", prices: [fee], ...plan }],
});
const priceOf = (price: JsonObject) => planOf({ prices: [{ key: "calls", metric: "CALLS", ...price }] });
const tiersOf = (...bounds: string[]) =>
  priceOf({ graduated: { tiers: bounds.map((upTo) => ({ upTo, unitAmount: "1" })) } });
const numbered = (count: number) => Array.from({ length: count }, (_, i) => ({ ...fee, key: `fee-${i}` }));

const PLAN = "catalog.plans[0]";
const PRICE = `${PLAN}.prices[0]`;

const bad: [string, JsonObject, ErrorReason, string][] = [
  ["tiers out of order", tiersOf("10", "5", ""), INVALID_CATALOG, `${PRICE}.graduated.tiers[1].up_to`],
  ["a tier that repeats a bound", tiersOf("10", "10", ""), INVALID_CATALOG, `${PRICE}.graduated.tiers[1].up_to`],
  ["a gap above the last tier", tiersOf("10", "20"), INVALID_CATALOG, `${PRICE}.graduated.tiers[1].up_to`],
  ["two tiers without a bound", tiersOf("", ""), INVALID_CATALOG, `${PRICE}.graduated.tiers[0].up_to`],
  ["no tiers", priceOf({ volume: { tiers: [] } }), INVALID_FIELD, `${PRICE}.volume.tiers`],
  ["a negative bound", tiersOf("-1", ""), INVALID_FIELD, `${PRICE}.graduated.tiers[0].up_to`],
  [
    "a negative unit amount",
    priceOf({ perUnit: { unitAmount: "-0.01" } }),
    INVALID_FIELD,
    `${PRICE}.per_unit.unit_amount`,
  ],
  [
    "a negative fee",
    planOf({ prices: [{ key: "fee", flat: { amount: "-1" } }] }),
    INVALID_FIELD,
    `${PRICE}.flat.amount`,
  ],
  ["a negative minimum", planOf({ minimumAmount: "-1" }), INVALID_FIELD, `${PLAN}.minimum_amount`],
  [
    "an amount that is a word",
    priceOf({ perUnit: { unitAmount: "free" } }),
    INVALID_FIELD,
    `${PRICE}.per_unit.unit_amount`,
  ],
  [
    "an amount in floating point",
    priceOf({ perUnit: { unitAmount: "1e-3" } }),
    INVALID_FIELD,
    `${PRICE}.per_unit.unit_amount`,
  ],
  [
    "19 digits after the point",
    priceOf({ perUnit: { unitAmount: `0.${"1".repeat(19)}` } }),
    INVALID_FIELD,
    `${PRICE}.per_unit.unit_amount`,
  ],
  ["a package of nothing", priceOf({ package: { size: "0", amount: "1" } }), INVALID_CATALOG, `${PRICE}.package.size`],
  [
    "more than a hundred percent",
    priceOf({ percentage: { percent: "101" } }),
    INVALID_CATALOG,
    `${PRICE}.percentage.percent`,
  ],
  ["a currency that does not exist", planOf({ currency: "ABC" }), INVALID_CATALOG, `${PLAN}.currency`],
  ["a currency in small letters", planOf({ currency: "usd" }), INVALID_FIELD, `${PLAN}.currency`],
  ["a plan without prices", planOf({ prices: [] }), INVALID_FIELD, `${PLAN}.prices`],
  ["a plan without a key", planOf({ key: "" }), INVALID_FIELD, `${PLAN}.key`],
  ["a plan without a period", planOf({ period: "PERIOD_UNSPECIFIED" }), INVALID_FIELD, `${PLAN}.period`],
  ["a version below 0", planOf({ version: -1 }), INVALID_FIELD, `${PLAN}.version`],
  ["a price without a model", planOf({ prices: [{ key: "fee" }] }), INVALID_FIELD, `${PRICE}.model`],
  ["two prices of one key", planOf({ prices: [fee, fee] }), INVALID_CATALOG, `${PLAN}.prices[1].key`],
  ["101 prices", planOf({ prices: numbered(101) }), TOO_LARGE, `${PLAN}.prices`],
  [
    "a metric that does not exist",
    priceOf({ metric: "CALL", perUnit: { unitAmount: "1" } }),
    INVALID_CATALOG,
    `${PRICE}.metric`,
  ],
  ["a fee of a metric", planOf({ prices: [{ ...fee, metric: "CALLS" }] }), INVALID_CATALOG, `${PRICE}.metric`],
  [
    "a maximum below the minimum",
    priceOf({ perUnit: { unitAmount: "1" }, minimumAmount: "2", maximumAmount: "1" }),
    INVALID_CATALOG,
    `${PRICE}.maximum_amount`,
  ],
  ["a default plan that does not exist", { defaultPlan: "none" }, INVALID_CATALOG, "catalog.default_plan"],
];

test("what is wrong in a catalog is refused with a reason and its path, and nothing is published", async () => {
  const { clients } = await setup();
  for (const [name, json, reason, field] of bad) {
    const catalog = fromJson(CatalogSchema, json);
    for (const dryRun of [false, true]) {
      const answer = await refused(clients.pricing.pushCatalog({ catalog, dryRun }));
      expect([name, answer]).toEqual([name, { code: Code.InvalidArgument, reason, field }]);
    }
  }
  expect(await clients.pricing.pullCatalog({})).toMatchObject({ catalog: { metrics: [], plans: [], defaultPlan: "" } });
});

test("amounts finer than a currency's minor unit are allowed: only a line is rounded", async () => {
  const { clients } = await setup();
  const plan = planOf({ currency: "JPY", minimumAmount: "99.5", prices: [{ key: "fee", flat: { amount: "0.001" } }] });
  const pushed = await clients.pricing.pushCatalog({ catalog: fromJson(CatalogSchema, plan) });
  expect(pushed.plans).toMatchObject([{ version: 1, minimumAmount: "99.5" }]);
});
