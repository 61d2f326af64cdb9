import type { InvoiceLineStep } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Package, Price, Tier, Tiers } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Decimal, decimal, fromMinor, plain, toMinor, zero } from "../money.ts";
import { type EventTally, percentageSteps } from "./percentage.ts";
import { one, step, sumOf } from "./price-step.ts";

/** What a quantity costs, and how that came about. */
export interface Rating {
  /** The amount in major units, before it was rounded. */
  exact: Decimal;
  /** The same, rounded once: minor units of the currency. */
  amountMinor: bigint;
  /** The parts of the amount. Theirs add up to `exact`. */
  steps: InvoiceLineStep[];
}

/** What of a price says what it costs. */
export type PriceTerms = Pick<Price, "model" | "includedQuantity" | "minimumAmount" | "maximumAmount">;

/**
 * The most that one line can cost, in minor units: 100 lines of it still fit the 64 bits of an invoice's total. Nobody
 * owes that; a mistake in reported usage can claim it, and must not stop everybody else's invoices.
 */
const LINE_MINOR_MAX = 10n ** 16n;

/** The most that one line can cost, in major units. A price whose usage is told apart shares it among its lines. */
export function lineMax(currency: string, lines = 1): Decimal {
  return decimal(fromMinor(LINE_MINOR_MAX / BigInt(lines), currency));
}

/** Prices a quantity, on one of so many lines of its price. Exact up to the one rounding at the end. */
export function rate(price: PriceTerms, quantity: Decimal, currency: string, lines = 1): Rating {
  const rest = beyondIncluded(price, quantity);
  const included = quantity.minus(rest);
  const steps = stepsOf(price.model, rest);
  return rated(
    price,
    included.gt(zero) ? [step(included, zero, "included"), ...steps] : steps,
    lineMax(currency, lines),
    currency,
  );
}

/** Prices the events of a percentage price, under the same rules. */
export function rateEvents(price: PriceTerms, tally: EventTally, currency: string, lines = 1): Rating {
  if (price.model.case !== "percentage") throw new Error("a price that does not depend on single events");
  return rated(price, percentageSteps(price.model.value, tally), lineMax(currency, lines), currency);
}

/** What is left of a quantity when that which is included has been taken off. */
export function beyondIncluded({ includedQuantity }: PriceTerms, quantity: Decimal): Decimal {
  const rest = quantity.minus(decimal(includedQuantity || "0"));
  return rest.gt(zero) ? rest : zero;
}

/** Whole packages: one that is begun is owed. */
export function packageCount({ size }: Package, quantity: Decimal): Decimal {
  const begun = quantity.mod(decimal(size));
  const full = quantity.minus(begun).div(decimal(size)); // divides without a rest, so it is exact
  return begun.gt(zero) ? full.plus(one) : full;
}

/** Holds the minimum, then the maximum, and rounds. */
function rated(price: PriceTerms, parts: readonly InvoiceLineStep[], most: Decimal, currency: string): Rating {
  const steps = [...parts];
  let exact = sumOf(steps);
  const move = (to: Decimal, description: string) => {
    steps.push(step(one, to.minus(exact), description));
    exact = to;
  };
  const { minimumAmount, maximumAmount } = price;
  const minimum = decimal(minimumAmount || "0");
  if (exact.lt(minimum)) move(minimum, `up to the minimum of ${plain(minimum)}`);
  const maximum = maximumAmount ? decimal(maximumAmount) : undefined;
  if (maximum?.lt(exact)) move(maximum, `down to the maximum of ${plain(maximum)}`);
  if (exact.gt(most)) move(most, "over the most that a line can cost");
  return { exact, amountMinor: toMinor(exact, currency), steps };
}

function stepsOf(model: Price["model"], quantity: Decimal): InvoiceLineStep[] {
  switch (model.case) {
    case "perUnit":
      return [step(quantity, decimal(model.value.unitAmount), "units")];
    case "graduated":
      return graduated(model.value, quantity);
    case "volume":
      return volume(model.value, quantity);
    case "package": {
      const { size, amount } = model.value;
      return [step(packageCount(model.value, quantity), decimal(amount), `packages of ${size}`)];
    }
    case "flat": {
      const { amount, perSeat } = model.value;
      return [perSeat ? step(quantity, decimal(amount), "seats") : step(one, decimal(amount), "fixed amount")];
    }
    case "percentage":
      throw new Error("a percentage of a quantity: it needs the single events");
    case undefined:
      throw new Error("a price without a model");
  }
}

/** Each tier prices the part of the quantity that falls in it. */
function graduated(model: Tiers, quantity: Decimal): InvoiceLineStep[] {
  if (quantity.eq(zero)) return flatAtZero(model);
  const steps: InvoiceLineStep[] = [];
  let floor = zero;
  for (const tier of model.tiers) {
    if (quantity.lte(floor)) break;
    const bound = boundOf(tier);
    const top = bound?.lt(quantity) ? bound : quantity;
    steps.push(...tierSteps(tier, floor, top.minus(floor)));
    floor = top;
  }
  return steps;
}

/** The tier that the quantity reaches prices all of it. */
function volume(model: Tiers, quantity: Decimal): InvoiceLineStep[] {
  if (quantity.eq(zero)) return flatAtZero(model);
  let floor = zero;
  for (const tier of model.tiers) {
    const bound = boundOf(tier);
    if (!bound || quantity.lte(bound)) return tierSteps(tier, floor, quantity);
    floor = bound;
  }
  throw new Error("a price whose last tier has a bound");
}

/** Without usage no tier is entered; but the first one's fixed amount may be owed all the same. */
function flatAtZero({ tiers: [first], billFlatAtZero }: Tiers): InvoiceLineStep[] {
  return first && billFlatAtZero ? tierSteps(first, zero, zero) : [];
}

/** Units in a tier that was entered, and what entering it costs. */
function tierSteps(tier: Tier, floor: Decimal, units: Decimal): InvoiceLineStep[] {
  const name = tier.upTo ? `tier up to ${tier.upTo}` : floor.eq(zero) ? "all units" : `tier above ${plain(floor)}`;
  const flat = decimal(tier.flatAmount || "0");
  const steps = [step(units, decimal(tier.unitAmount || "0"), name)];
  if (flat.gt(zero)) steps.push(step(one, flat, `${name}, fixed amount`));
  return steps;
}

function boundOf(tier: Tier): Decimal | undefined {
  return tier.upTo ? decimal(tier.upTo) : undefined;
}
