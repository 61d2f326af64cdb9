import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PriceSchema, type TierSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, minorDigits, plain, zero } from "../../server/money.ts";
import { rate } from "../../server/pricing/rate.ts";

type Model = NonNullable<MessageInitShape<typeof PriceSchema>["model"]>;
type TierInit = MessageInitShape<typeof TierSchema>;

const perUnit = (unitAmount: string): Model => ({ case: "perUnit", value: { unitAmount } });
const graduated = (...tiers: TierInit[]): Model => ({ case: "graduated", value: { tiers } });
const volume = (...tiers: TierInit[]): Model => ({ case: "volume", value: { tiers } });
const packages = (size: string, amount: string): Model => ({ case: "package", value: { size, amount } });
const flat = (amount: string): Model => ({ case: "flat", value: { amount } });
const tier = (upTo: string, unitAmount: string, flatAmount = ""): TierInit => ({ upTo, unitAmount, flatAmount });

function price(model: Model, quantity: string, currency = "USD") {
  return rate(create(PriceSchema, { key: "p", model }), decimal(quantity), currency);
}

function exact(model: Model, quantity: string): string {
  return plain(price(model, quantity).exact);
}

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
  ])("%s", (_, model, quantity, amount) => {
    expect(exact(model, quantity)).toBe(amount);
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

const decimals = (whole: number, fraction: number) =>
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: 10n ** BigInt(whole) - 1n }),
      fc.stringMatching(new RegExp(`^[0-9]{0,${fraction}}$`)),
    )
    .map(([head, tail]) => (tail ? `${head}.${tail}` : `${head}`));
const quantities = fc.oneof(decimals(3, 2), decimals(9, 0), decimals(9, 12)); // below the most of a line
const amounts = fc.oneof(decimals(2, 4), decimals(3, 18));
const bounds = fc
  .uniqueArray(
    decimals(6, 2).filter((bound) => decimal(bound).gt(zero)),
    {
      maxLength: 6,
      selector: (bound) => plain(decimal(bound)),
    },
  )
  .map((list) => list.sort((a, b) => decimal(a).cmp(decimal(b))));
const tierLists = fc
  .tuple(bounds, fc.infiniteStream(amounts), fc.infiniteStream(fc.option(amounts, { nil: "" })))
  .map(([list, unit, fixed]) => [...list, ""].map((upTo) => tier(upTo, next(unit), next(fixed))));
const monotone = fc.oneof(
  amounts.map(perUnit),
  tierLists.map((tiers) => graduated(...tiers)),
  fc.tuple(decimals(6, 3), amounts).map(([size, amount]) => packages(decimal(size).eq(zero) ? "1" : size, amount)),
);
const models = fc.oneof(
  monotone,
  tierLists.map((tiers) => volume(...tiers)),
  amounts.map(flat),
);

function next<T>(stream: Iterator<T>): T {
  return stream.next().value;
}

function stepSum({ steps }: ReturnType<typeof rate>): string {
  return plain(steps.reduce((sum, { amount }) => sum.plus(decimal(amount)), zero));
}

describe("rate, whatever the price", () => {
  test("its steps add up to the exact amount, and each is its quantity times its unit amount", () => {
    fc.assert(
      fc.property(models, quantities, (model, quantity) => {
        const rating = price(model, quantity);
        expect(stepSum(rating)).toBe(plain(rating.exact));
        for (const { quantity, unitAmount, amount } of rating.steps) {
          expect(plain(decimal(quantity).times(decimal(unitAmount)))).toBe(amount);
        }
      }),
    );
  });

  test("its rounded amount is the nearest one, and the one away from zero where two are as near", () => {
    fc.assert(
      fc.property(models, quantities, fc.constantFrom("JPY", "USD", "KWD"), (model, quantity, currency) => {
        const { exact, amountMinor } = price(model, quantity, currency);
        const minor = exact.times(decimal(`1e${minorDigits(currency)}`));
        const excess = decimal(amountMinor.toString()).minus(minor);
        expect(excess.gt(decimal("-0.5")) && excess.lte(decimal("0.5"))).toBe(true);
      }),
    );
  });

  test("more usage never costs less, volume apart", () => {
    fc.assert(
      fc.property(monotone, quantities, quantities, (model, one, other) => {
        const [less, more] = [one, other].sort((a, b) => decimal(a).cmp(decimal(b)));
        expect(price(model, less as string).exact.lte(price(model, more as string).exact)).toBe(true);
      }),
    );
  });

  test("a quantity in two parts costs per unit what it costs as one", () => {
    fc.assert(
      fc.property(amounts, quantities, quantities, (amount, one, other) => {
        const whole = plain(decimal(one).plus(decimal(other)));
        const parts = price(perUnit(amount), one).exact.plus(price(perUnit(amount), other).exact);
        expect(exact(perUnit(amount), whole)).toBe(plain(parts));
      }),
    );
  });

  test("a graduated tier that is cut in two at any bound costs the same", () => {
    fc.assert(
      fc.property(bounds, fc.infiniteStream(amounts), decimals(6, 2), quantities, (list, unit, cut, quantity) => {
        const whole = [...list, ""].map((upTo) => tier(upTo, next(unit)));
        const place = whole.findIndex(({ upTo }) => !upTo || decimal(upTo).gt(decimal(cut)));
        fc.pre(decimal(cut).gt(zero) && !list.some((bound) => decimal(bound).eq(decimal(cut))));
        const halves = whole.toSpliced(place, 0, tier(cut, whole[place]?.unitAmount ?? ""));
        expect(exact(graduated(...halves), quantity)).toBe(exact(graduated(...whole), quantity));
      }),
    );
  });

  test("tiers at one price cost what that price costs per unit", () => {
    fc.assert(
      fc.property(bounds, amounts, quantities, (list, amount, quantity) => {
        const tiers = [...list, ""].map((upTo) => tier(upTo, amount));
        const whole = exact(perUnit(amount), quantity);
        expect([exact(graduated(...tiers), quantity), exact(volume(...tiers), quantity)]).toEqual([whole, whole]);
      }),
    );
  });

  test("packages hold the quantity, and one fewer would not", () => {
    fc.assert(
      fc.property(decimals(6, 3), quantities, (size, quantity) => {
        fc.pre(decimal(size).gt(zero) && decimal(quantity).gt(zero));
        const count = decimal(price(packages(size, "0"), quantity).steps[0]?.quantity ?? "");
        expect(count.times(decimal(size)).gte(decimal(quantity))).toBe(true);
        expect(count.minus(decimal("1")).times(decimal(size)).lt(decimal(quantity))).toBe(true);
      }),
    );
  });
});
