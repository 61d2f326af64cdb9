import { create, equals, fromJson, type JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { fieldChanges } from "../../server/pricing/field-change.ts";
import { anyMessage } from "../support/any-message.ts";

function told(before: JsonObject, after: JsonObject): string[] {
  const changes = fieldChanges(PlanSchema, fromJson(PlanSchema, before), fromJson(PlanSchema, after));
  return changes.map(({ path, oldValue, newValue }) => `${path}: ${oldValue} -> ${newValue}`);
}

const tiered = (...tiers: JsonObject[]) => ({ prices: [{ key: "calls", graduated: { tiers } }] });
const [ten, hundred, rest] = [{ upTo: "10" }, { upTo: "100", unitAmount: "0.05" }, { unitAmount: "0.03" }];

describe("the difference between two plans", () => {
  test.each<[string, JsonObject, JsonObject, string[]]>([
    ["a name", { name: "Pro" }, { name: "Pro: new" }, ['name: Pro -> "Pro: new"']],
    ["what is given for the first time", {}, { minimumAmount: "5" }, ["minimumAmount:  -> 5"]],
    ["what is given no more", { period: "PERIOD_MONTHLY" }, {}, ["period: MONTHLY -> "]],
    [
      "one value of a tier",
      tiered(ten, hundred, rest),
      tiered(ten, { ...hundred, unitAmount: "0.04" }, rest),
      ["prices.calls.graduated.tiers[1].unitAmount: 0.05 -> 0.04"],
    ],
    [
      "a tier between others",
      tiered(ten, rest),
      tiered(ten, hundred, rest),
      ["prices.calls.graduated.tiers[1]:  -> {upTo: 100, unitAmount: 0.05}"],
    ],
    [
      "a tier that is gone, and another that changed",
      tiered(ten, hundred, rest),
      tiered({ upTo: "20" }, rest),
      [
        "prices.calls.graduated.tiers[0].upTo: 10 -> 20",
        "prices.calls.graduated.tiers[1]: {upTo: 100, unitAmount: 0.05} -> ",
      ],
    ],
    [
      "another model",
      { prices: [{ key: "calls", perUnit: { unitAmount: "1" } }] },
      { prices: [{ key: "calls", package: { size: "10", amount: "9" } }] },
      ["prices.calls.perUnit: {unitAmount: 1} -> ", "prices.calls.package:  -> {size: 10, amount: 9}"],
    ],
    [
      "prices by their keys",
      { prices: [{ key: "a", name: "A" }, { key: "b" }] },
      {
        prices: [
          { key: "c", name: "C" },
          { key: "a", name: "B" },
        ],
      },
      ["prices.a.name: A -> B", "prices.b: {} -> ", "prices.c:  -> {name: C}"],
    ],
    [
      "the order of prices",
      { prices: [{ key: "a" }, { key: "b" }] },
      { prices: [{ key: "b" }, { key: "a" }] },
      ["prices: a, b -> b, a"],
    ],
  ])("tells %s", (_, before, after, changes) => {
    expect(told(before, after)).toEqual(changes);
  });

  test("is nothing for the same plan, and something for every other", () => {
    const plan = anyMessage(PlanSchema);
    fc.assert(
      fc.property(plan, plan, (before, after) => {
        expect(fieldChanges(PlanSchema, before, before)).toEqual([]);
        const changes = fieldChanges(PlanSchema, before, after);
        expect(changes.length > 0).toBe(!equals(PlanSchema, before, after));
        for (const { oldValue, newValue } of changes) expect(oldValue).not.toBe(newValue);
      }),
    );
  });

  test("says all of a plan that is compared with nothing", () => {
    fc.assert(
      fc.property(anyMessage(PlanSchema), (plan) => {
        const changes = fieldChanges(PlanSchema, create(PlanSchema), plan);
        expect(changes.every(({ oldValue }) => oldValue === "")).toBe(true);
      }),
    );
  });
});
