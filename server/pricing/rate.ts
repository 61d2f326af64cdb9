import { create } from "@bufbuild/protobuf";
import { type InvoiceLineStep, InvoiceLineStepSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Package, Price, Tier, Tiers } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Decimal, decimal, fromMinor, plain, toMinor, zero } from "../money.ts";

/** What a quantity costs, and how that came about. */
export interface Rating {
  /** The amount in major units, before it was rounded. */
  exact: Decimal;
  /** The same, rounded once: minor units of the currency. */
  amountMinor: bigint;
  /** The parts of the amount. Theirs add up to `exact`. */
  steps: InvoiceLineStep[];
}

/**
 * The most that one line can cost, in minor units: 100 lines of it still fit the 64 bits of an invoice's total. Nobody
 * owes that; a mistake in reported usage can claim it, and must not stop everybody else's invoices.
 */
const LINE_MINOR_MAX = 10n ** 16n;
const one = decimal("1");

/** Prices a quantity. Exact up to the one rounding at the end. */
export function rate(price: Pick<Price, "model">, quantity: Decimal, currency: string): Rating {
  const steps = stepsOf(price.model, quantity);
  const excess = sum(steps).minus(decimal(fromMinor(LINE_MINOR_MAX, currency)));
  if (excess.gt(zero)) steps.push(step(one, excess.neg(), "over the most that a line can cost"));
  const exact = sum(steps);
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
    case "package":
      return [packages(model.value, quantity)];
    case "flat":
      return [step(one, decimal(model.value.amount), "fixed amount")];
    case undefined:
      throw new Error("a price without a model");
  }
}

/** Each tier prices the part of the quantity that falls in it. */
function graduated({ tiers }: Tiers, quantity: Decimal): InvoiceLineStep[] {
  const steps: InvoiceLineStep[] = [];
  let floor = zero;
  for (const tier of tiers) {
    if (quantity.lte(floor)) break;
    const bound = boundOf(tier);
    const top = bound?.lt(quantity) ? bound : quantity;
    steps.push(...tierSteps(tier, floor, top.minus(floor)));
    floor = top;
  }
  return steps;
}

/** The tier that the quantity reaches prices all of it. */
function volume({ tiers }: Tiers, quantity: Decimal): InvoiceLineStep[] {
  if (quantity.eq(zero)) return [];
  let floor = zero;
  for (const tier of tiers) {
    const bound = boundOf(tier);
    if (!bound || quantity.lte(bound)) return tierSteps(tier, floor, quantity);
    floor = bound;
  }
  throw new Error("a price whose last tier has a bound");
}

/** Units in a tier that was entered, and what entering it costs. */
function tierSteps(tier: Tier, floor: Decimal, units: Decimal): InvoiceLineStep[] {
  const name = tier.upTo ? `tier up to ${tier.upTo}` : floor.eq(zero) ? "all units" : `tier above ${plain(floor)}`;
  const flat = decimal(tier.flatAmount || "0");
  const steps = [step(units, decimal(tier.unitAmount || "0"), name)];
  if (flat.gt(zero)) steps.push(step(one, flat, `${name}, fixed amount`));
  return steps;
}

/** Whole packages: one that is begun is owed. */
function packages({ size, amount }: Package, quantity: Decimal): InvoiceLineStep {
  const begun = quantity.mod(decimal(size));
  const full = quantity.minus(begun).div(decimal(size)); // divides without a rest, so it is exact
  const count = begun.gt(zero) ? full.plus(one) : full;
  return step(count, decimal(amount), `packages of ${size}`);
}

function boundOf(tier: Tier): Decimal | undefined {
  return tier.upTo ? decimal(tier.upTo) : undefined;
}

function step(quantity: Decimal, unitAmount: Decimal, description: string): InvoiceLineStep {
  return create(InvoiceLineStepSchema, {
    quantity: plain(quantity),
    unitAmount: plain(unitAmount),
    amount: plain(quantity.times(unitAmount)),
    description,
  });
}

function sum(steps: readonly InvoiceLineStep[]): Decimal {
  return steps.reduce((total, { amount }) => total.plus(decimal(amount)), zero);
}
