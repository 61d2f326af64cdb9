import fc from "fast-check";
import { decimal, plain, zero } from "../../server/money.ts";
import { flat, graduated, packages, perUnit, type Terms, tier, volume } from "./prices.ts";

// Any price and any quantity, for properties that hold whatever is sold.

/** Decimals with so many digits before and after the point, at most. */
export const decimals = (whole: number, fraction: number) =>
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: 10n ** BigInt(whole) - 1n }),
      fc.stringMatching(new RegExp(`^[0-9]{0,${fraction}}$`)),
    )
    .map(([head, tail]) => (tail ? `${head}.${tail}` : `${head}`));

export const quantities = fc.oneof(decimals(3, 2), decimals(9, 0), decimals(9, 12)); // below the most of a line
export const amounts = fc.oneof(decimals(2, 4), decimals(3, 18));

/** Bounds of tiers, growing. */
export const bounds = fc
  .uniqueArray(
    decimals(6, 2).filter((bound) => decimal(bound).gt(zero)),
    { maxLength: 6, selector: (bound) => plain(decimal(bound)) },
  )
  .map((list) => list.sort((a, b) => decimal(a).cmp(decimal(b))));

const tierLists = fc
  .tuple(bounds, fc.infiniteStream(amounts), fc.infiniteStream(fc.option(amounts, { nil: "" })))
  .map(([list, unit, fixed]) => [...list, ""].map((upTo) => tier(upTo, next(unit), next(fixed))));

/** Models at which more never costs less. */
export const monotone = fc.oneof(
  amounts.map(perUnit),
  tierLists.map((tiers) => graduated(...tiers)),
  fc.tuple(decimals(6, 3), amounts).map(([size, amount]) => packages(decimal(size).eq(zero) ? "1" : size, amount)),
);

/** Models of a quantity. */
export const metered = fc.oneof(
  monotone,
  tierLists.map((tiers) => volume(...tiers)),
);

/** Models that need no single events. */
export const models = fc.oneof(metered, amounts.map(flat));

/** Terms around a model: a maximum is not below the minimum. */
export const terms = fc
  .tuple(quantities, amounts, amounts, fc.nat({ max: 7 }))
  .map(([included, one, other, which]): Terms => {
    const [least, most] = [one, other].sort((a, b) => decimal(a).cmp(decimal(b))) as [string, string];
    return {
      includedQuantity: which & 1 ? included : "",
      minimumAmount: which & 2 ? least : "",
      maximumAmount: which & 4 && decimal(most).gt(zero) ? most : "",
    };
  });

/** What a stream has next. */
export function next<T>(stream: Iterator<T>): T {
  return stream.next().value;
}
