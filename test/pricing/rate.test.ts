import { describe, expect, test } from "vitest";
import { plain } from "../../server/money.ts";
import {
  exact,
  flat,
  graduated,
  type Model,
  packages,
  perUnit,
  price,
  stepSum,
  type Terms,
  tier,
  volume,
} from "../support/prices.ts";

describe("rate prices the examples of public documentation", () => {
  // https://docs.stripe.com/subscriptions/pricing-models/tiered-pricing
  const fonts = [tier("5", "7"), tier("10", "6.5"), tier("", "6")];
  // https://getlago.com/docs/guide/plans/charges/charge-models/volume.md
  const lagoCalls = volume(
    tier("10000", "0.0010", "10"),
    tier("50000", "0.0008", "10"),
    tier("100000", "0.0006", "10"),
    tier("", "0.0004", "10"),
  );
  // https://zuplo.com/docs/articles/monetization/pricing-models
  const zuplo = [tier("1000", "0.10"), tier("10000", "0.05"), tier("", "0.01")];
  // https://docs.useautumn.com/documentation/modelling-pricing/graduated-pricing.md
  const autumn = graduated(tier("1000", "0.01"), tier("10000", "0.008"), tier("", "0.005"));
  // https://www.chargebee.com/docs/billing/2.0/product-catalog/package-pricing
  const tokens = packages("1000000", "1.25");

  test.each<[string, Model, string, string]>([
    // https://getlago.com/docs/guide/plans/charges/charge-models/standard.md
    ["Lago, standard", perUnit("0.05"), "1000", "50"],
    ["Stripe, volume, first tier", volume(...fonts), "5", "35"],
    ["Stripe, volume, one more", volume(...fonts), "6", "39"],
    ["Stripe, volume, last tier", volume(...fonts), "20", "120"],
    ["Stripe, volume, last tier again", volume(...fonts), "25", "150"],
    ["Stripe, graduated, first tier", graduated(...fonts), "5", "35"],
    ["Lago, volume with a fixed fee", lagoCalls, "65000", "49"],
    ["Zuplo, graduated", graduated(...zuplo), "15000", "600"],
    ["Zuplo, volume", volume(...zuplo), "15000", "150"],
    ["Autumn, graduated", autumn, "15000", "107"],
    ["Chargebee, a package begun", tokens, "10", "1.25"],
    ["Chargebee, a package full", tokens, "1000000", "1.25"],
    ["Chargebee, two packages", tokens, "1500000", "2.5"],
    // https://docs.stripe.com/subscriptions/pricing-models/tiered-pricing: the second tier is 6.5 each, so 35 and 6.5
    ["Stripe, graduated, second tier", graduated(...fonts), "6", "41.5"],
    ["Stripe, graduated, last tier", graduated(...fonts), "20", "127.5"],
    // https://docs.withorb.com/product-catalog/price-configuration
    ["Orb, tiered", graduated(tier("10", "0.50"), tier("", "0.10")), "11", "5.1"],
    ["Orb, bulk, at the bound", volume(tier("10", "0.50"), tier("", "0.40")), "10", "5"],
    ["Orb, bulk, a lower price for all", volume(tier("10", "0.50"), tier("", "0.40")), "101", "40.4"],
    ["Orb, a package that is not full", packages("10", "0.80"), "4", "0.8"],
    ["Orb, a package more", packages("10", "0.80"), "11", "1.6"],
    // https://getlago.com/docs/guide/plans/charges/charge-models/graduated.md
    ["Lago, graduated", graduated(tier("100", "1"), tier("200", "0.5"), tier("", "0.1")), "250", "155"],
  ])("%s", (_, model, quantity, amount) => {
    expect(exact(model, quantity)).toBe(amount);
  });

  test.each<[string, Model, string, Terms, string]>([
    // https://getlago.com/docs/guide/plans/charges/charge-models/package.md: 100 units free, then 5 per 100
    ["Lago, package with free units", packages("100", "5"), "201", { includedQuantity: "100" }, "10"],
    // https://docs.zuora.com/en/zuora-billing: overage pricing, 500 minutes included, then 0.50 each
    ["Zuora, overage", perUnit("0.50"), "620", { includedQuantity: "500" }, "60"],
    ["Zuora, no overage", perUnit("0.50"), "500", { includedQuantity: "500" }, "0"],
    // https://getlago.com/docs/guide/plans/charges/spending-minimum: usage of 50, a minimum of 100
    ["Lago, spending minimum", perUnit("0.010"), "5000", { minimumAmount: "100" }, "100"],
    // https://docs.stripe.com/billing/subscriptions/usage-based: 1,000 included, then 0.04
    ["Stripe, fixed fee and overage", perUnit("0.04"), "1001", { includedQuantity: "1000" }, "0.04"],
  ])("%s", (_, model, quantity, terms, amount) => {
    expect(plain(price(model, quantity, "USD", terms).exact)).toBe(amount);
  });
});

describe("rate keeps its own rules", () => {
  const tiers = [tier("5", "2", "10"), tier("10", "1", "20"), tier("", "0.5", "30")];

  test.each<[string, Model, string, string]>([
    ["a bound is inclusive", graduated(...tiers), "5", "20"],
    [
      "a fraction above the bound enters the next tier, and owes its fixed amount",
      graduated(...tiers),
      "5.001",
      "40.001",
    ],
    ["each tier entered owes its fixed amount once", graduated(...tiers), "12", "76"],
    ["volume owes the fixed amount of the tier reached alone", volume(...tiers), "12", "36"],
    ["volume at a bound is still in the tier", volume(...tiers), "10", "30"],
    ["volume a fraction above it is not", volume(...tiers), "10.000000000001", "35.0000000000005"],
    ["no usage enters no tier (graduated)", graduated(...tiers), "0", "0"],
    ["no usage enters no tier (volume)", volume(...tiers), "0", "0"],
    ["no usage begins no package", packages("100", "5"), "0", "0"],
    ["a fraction begins a package", packages("100", "5"), "100.000000000001", "10"],
    ["a package may be smaller than a unit", packages("0.3", "1"), "1", "4"],
    ["a division that never ends is still counted exactly", packages("0.000000000003", "1"), "1", "333333333334"],
    ["a tier without a unit amount costs nothing per unit", graduated({ flatAmount: "9" }), "1000", "9"],
    ["a flat price is owed whatever was used", flat("20.00"), "1", "20"],
    ["18 decimals of a unit amount count", perUnit("0.000000000000000001"), "3", "0.000000000000000003"],
  ])("%s", (_, model, quantity, amount) => {
    expect(exact(model, quantity)).toBe(amount);
  });

  const always = { tiers, billFlatAtZero: true };
  test.each<[string, Model, string]>([
    ["graduated", { case: "graduated", value: always }, "10"],
    ["volume", { case: "volume", value: always }, "10"],
    ["one without a fixed amount", { case: "volume", value: { tiers: [tier("", "5")], billFlatAtZero: true } }, "0"],
  ])("where the flat amount is billed at zero, no usage owes that of the first tier: %s", (_, model, amount) => {
    expect(exact(model, "0")).toBe(amount);
    expect(price(model, "7", "USD", { includedQuantity: "7" }).exact.toFixed()).toBe(amount);
  });

  test.each<[string, Model, string, Terms, string]>([
    ["tiers begin after what is included", graduated(...tiers), "105", { includedQuantity: "100" }, "20"],
    ["so do packages", packages("10", "3"), "101", { includedQuantity: "100" }, "3"],
    ["less than what is included costs nothing", perUnit("1"), "99.5", { includedQuantity: "100" }, "0"],
    ["a fraction beyond it counts", perUnit("1"), "100.000000000001", { includedQuantity: "100" }, "0.000000000001"],
    ["a minimum is owed without usage", perUnit("1"), "0", { minimumAmount: "50" }, "50"],
    ["a minimum that is reached adds nothing", perUnit("1"), "50", { minimumAmount: "50" }, "50"],
    ["a maximum caps", perUnit("1"), "101", { maximumAmount: "100" }, "100"],
    ["a maximum that is not reached does nothing", perUnit("1"), "99", { maximumAmount: "100" }, "99"],
    ["all three", perUnit("1"), "160", { includedQuantity: "50", minimumAmount: "5", maximumAmount: "100" }, "100"],
    [
      "bounds count 18 decimals too",
      perUnit("1"),
      "0",
      { minimumAmount: "0.000000000000000001" },
      "0.000000000000000001",
    ],
  ])("%s", (_, model, quantity, terms, amount) => {
    expect(plain(price(model, quantity, "USD", terms).exact)).toBe(amount);
  });

  test("what is included, a minimum and a maximum are steps of their own", () => {
    const terms = { includedQuantity: "100", minimumAmount: "50", maximumAmount: "60" };
    expect(price(perUnit("0.5"), "110", "USD", terms).steps).toMatchObject([
      { quantity: "100", unitAmount: "0", amount: "0", description: "included" },
      { quantity: "10", unitAmount: "0.5", amount: "5", description: "units" },
      { quantity: "1", unitAmount: "45", amount: "45", description: "up to the minimum of 50" },
    ]);
    expect(price(perUnit("0.5"), "300", "USD", terms).steps.at(-1)).toMatchObject({
      amount: "-40",
      description: "down to the maximum of 60",
    });
    expect(price(perUnit("0.5"), "0", "USD", terms).steps.map((step) => step.description)).toEqual([
      "units",
      "up to the minimum of 50",
    ]);
  });

  test("a line says how it came about", () => {
    expect(price(graduated(...tiers), "12").steps).toMatchObject([
      { quantity: "5", unitAmount: "2", amount: "10", description: "tier up to 5" },
      { quantity: "1", unitAmount: "10", amount: "10", description: "tier up to 5, fixed amount" },
      { quantity: "5", unitAmount: "1", amount: "5", description: "tier up to 10" },
      { quantity: "1", unitAmount: "20", amount: "20", description: "tier up to 10, fixed amount" },
      { quantity: "2", unitAmount: "0.5", amount: "1", description: "tier above 10" },
      { quantity: "1", unitAmount: "30", amount: "30", description: "tier above 10, fixed amount" },
    ]);
  });

  test.each([
    ["USD", "0.005", 1n],
    ["USD", "0.004999999999999999", 0n],
    ["USD", "1.005", 101n],
    ["JPY", "0.5", 1n],
    ["JPY", "1499.49", 1499n],
    ["KWD", "0.0005", 1n],
    ["KWD", "1.2344", 1234n],
    ["BHD", "1.2345", 1235n],
  ])("%s rounds %s half away from zero to its own digits", (currency, amount, minor) => {
    expect(price(flat(amount), "1", currency).amountMinor).toBe(minor);
  });

  test("no mistake in usage makes a line that an invoice cannot hold", () => {
    const rating = price(perUnit("999999999999"), "99999999999999999999");
    expect(rating.amountMinor).toBe(10n ** 16n);
    expect(plain(rating.exact)).toBe("100000000000000");
    expect(rating.steps).toHaveLength(2);
    expect(stepSum(rating)).toBe("100000000000000");
  });
});
