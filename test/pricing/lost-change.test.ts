import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { lostChanges } from "../../server/pricing/lost-change.ts";

const fields = ["name", "currency", "minimumAmount"] as const;
const texts = fc.record({
  name: fc.constantFrom("", "A", "B"),
  currency: fc.constantFrom("USD", "EUR"),
  minimumAmount: fc.constantFrom("", "1", "2"),
});
const plan = texts.map((values) => create(PlanSchema, values));

describe("what a push loses", () => {
  test("is what changed since and is another in the push, and nothing else", () => {
    fc.assert(
      fc.property(plan, plan, plan, (madeFrom, latest, pushed) => {
        const lost = fields.filter((field) => madeFrom[field] !== latest[field] && pushed[field] !== latest[field]);
        expect(lostChanges(pushed, latest, madeFrom).map(({ path }) => path)).toEqual(lost);
      }),
    );
  });

  test("may be anything that differs, where it is not known what the push was made from", () => {
    fc.assert(
      fc.property(plan, plan, (latest, pushed) => {
        const different = fields.filter((field) => pushed[field] !== latest[field]);
        expect(lostChanges(pushed, latest, undefined)).toHaveLength(different.length);
      }),
    );
  });

  test("is told of a list of tiers as a whole, since places in it shift", () => {
    const tiered = (...tiers: string[]) =>
      create(PlanSchema, {
        prices: [
          { key: "c", model: { case: "graduated", value: { tiers: tiers.map((unitAmount) => ({ unitAmount })) } } },
        ],
      });
    const lost = lostChanges(tiered("1", "2", "4"), tiered("0", "1", "2", "3"), tiered("1", "2", "3"));
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.every(({ path }) => path.startsWith("prices.c.graduated.tiers["))).toBe(true);
  });
});
