import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decimal, minorDigits, plain, zero } from "../../server/money.ts";
import { amounts, bounds, decimals, models, monotone, next, quantities, terms } from "../support/any-price.ts";
import { exact, graduated, packages, perUnit, price, stepSum, tier, volume } from "../support/prices.ts";

describe("rate, whatever the price", () => {
  test("its steps add up to the exact amount, and each is its quantity times its unit amount", () => {
    fc.assert(
      fc.property(models, quantities, terms, (model, quantity, terms) => {
        const rating = price(model, quantity, "USD", terms);
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

  test("more usage never costs less, volume apart, whatever is included, at least or at most", () => {
    fc.assert(
      fc.property(monotone, quantities, quantities, terms, (model, one, other, terms) => {
        const [less, more] = [one, other]
          .sort((a, b) => decimal(a).cmp(decimal(b)))
          .map((quantity) => price(model, quantity, "USD", terms).exact);
        expect(less?.lte(more ?? zero)).toBe(true);
      }),
    );
  });

  test("it is never below its minimum nor above its maximum, and is what it was where neither holds", () => {
    fc.assert(
      fc.property(models, quantities, terms, (model, quantity, terms) => {
        const [least, most] = [decimal(terms.minimumAmount || "0"), decimal(terms.maximumAmount || `1e${30}`)];
        const bare = price(model, quantity, "USD", { ...terms, minimumAmount: "", maximumAmount: "" }).exact;
        const held = bare.lt(least) ? least : bare.gt(most) ? most : bare;
        expect(plain(price(model, quantity, "USD", terms).exact)).toBe(plain(held));
      }),
    );
  });

  test("beyond what is included it costs what the rest costs alone", () => {
    fc.assert(
      fc.property(models, quantities, quantities, (model, included, rest) => {
        const whole = plain(decimal(included).plus(decimal(rest)));
        const { exact: amount } = price(model, whole, "USD", { includedQuantity: included });
        expect(plain(amount)).toBe(exact(model, rest));
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
