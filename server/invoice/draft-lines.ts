import { create } from "@bufbuild/protobuf";
import {
  InvoiceKind,
  type InvoiceLine,
  InvoiceLineKind,
  InvoiceLineSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Plan, Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import { inPieces } from "../give-way.ts";
import { decimal, fromMinor, plain, toMinor, zero } from "../money.ts";
import { rateFlat } from "../pricing/flat-fee.ts";
import { type EventTally, noEvents } from "../pricing/percentage.ts";
import type { SeatSpan } from "../pricing/phase.ts";
import { isInAdvance, MINIMUM_KEY, planMinimum } from "../pricing/plan.ts";
import { one, step, sumOf } from "../pricing/price-step.ts";
import { isWhole, type PeriodPart, shareOf, shareWords } from "../pricing/prorate.ts";
import { beyondIncluded, packageCount, type Rating, rate, rateEvents } from "../pricing/rate.ts";
import { totalOf } from "./settlement.ts";

/** What was used of a price's metric in the period: all of it, or one group's. */
export interface Usage {
  /** A decimal. */
  quantity: string;
  /** What one is called, such as `byte`. May be empty. */
  unit: string;
  /** What tells the group apart, by dimension. */
  dimensions?: ReadonlyMap<string, string>;
  /** Its single events, for a price that needs them. */
  events?: EventTally | undefined;
}

// A period of any length, whole, with one seat.
const EPOCH = { start: new Date(0), end: new Date(1_000) };
const ANY_PERIOD = { ...EPOCH, of: EPOCH, seats: [{ ...EPOCH, quantity: 1 }] };

/** The period that an invoice bills, and the seats that there were in it. */
export interface BilledTime extends PeriodPart {
  seats: readonly SeatSpan[];
}

/** The prices that an invoice of a kind bills, in the order of the plan. An adjustment bills none: only differences. */
export function billedPrices(plan: Plan, kind: InvoiceKind): Price[] {
  if (kind === InvoiceKind.ADJUSTMENT) return [];
  return plan.prices.filter((price) => isInAdvance(price) === (kind === InvoiceKind.IN_ADVANCE));
}

/**
 * The lines of an invoice: one for each price that it bills, or for each group of its usage, also where nothing is owed;
 * and one for what is missing to the plan's minimum. Without a time it bills a full period, and one seat.
 */
export async function draftLines(
  plan: Plan,
  kind: InvoiceKind,
  usageOf: (price: Price) => readonly Usage[],
  time: BilledTime = ANY_PERIOD,
): Promise<InvoiceLine[]> {
  const linesOf = (price: Price) =>
    price.metric ? usageLines(price, usageOf(price), plan.currency, time) : [flatLine(price, plan.currency, time)];
  const lines = (await inPieces(billedPrices(plan, kind), linesOf)).flat();
  return kind === InvoiceKind.IN_ARREARS ? [...lines, ...trueUp(plan, lines, time)] : lines;
}

/** A price may be owed without usage too, and so without a group. */
function usageLines(
  price: Price,
  usages: readonly Usage[],
  currency: string,
  time: BilledTime,
): Promise<InvoiceLine[]> {
  const count = Math.max(usages.length, 1);
  const rateOf = (terms: Price, { quantity, events }: Usage) =>
    events ? rateEvents(terms, events, currency, count) : rate(terms, decimal(quantity), currency, count);
  const terms = sharedTerms(price, currency, time);
  return inPieces(usages.length > 0 ? usages : [noUsage(price)], (usage) =>
    usageLine(price, usage, rateOf(terms, usage), time),
  );
}

function noUsage({ model }: Price): Usage {
  return { quantity: "0", unit: "", events: model.case === "percentage" ? noEvents : undefined };
}

function usageLine(price: Price, usage: Usage, rating: Rating, time: BilledTime): InvoiceLine {
  const { quantity, unit, dimensions } = usage;
  const { amountMinor, exact, steps } = rating;
  const words = price.minimumAmount || price.maximumAmount ? partWords(time) : "";
  return create(InvoiceLineSchema, {
    kind: InvoiceLineKind.PRICE,
    priceKey: price.key,
    metric: price.metric,
    quantity,
    amountMinor,
    description: `${describe(nameOf(price, dimensions), price, quantity, unit)}${words}`,
    exactAmount: plain(exact),
    steps,
    dimensions: Object.fromEntries(dimensions ?? []),
  });
}

function flatLine(price: Price, currency: string, time: BilledTime): InvoiceLine {
  const { seats, amountMinor, exact, steps } = rateFlat(price, currency, time);
  return create(InvoiceLineSchema, {
    kind: InvoiceLineKind.PRICE,
    priceKey: price.key,
    quantity: seats,
    amountMinor,
    description: `${price.name || price.key}${partWords(time)}`,
    exactAmount: plain(exact),
    steps,
  });
}

/** A price with its share of what it comes to at least and at most in a full period. */
function sharedTerms(price: Price, currency: string, time: PeriodPart): Price {
  if (isWhole(time)) return price;
  const share = (amount: string) => (amount ? plain(shareOf(decimal(amount), time, currency)) : "");
  return { ...price, minimumAmount: share(price.minimumAmount), maximumAmount: share(price.maximumAmount) };
}

/** Such as `, 5 of 31 days`; nothing of a period that is whole. */
function partWords(time: PeriodPart): string {
  return isWhole(time) ? "" : `, ${shareWords(time)}`;
}

/** Makes up the difference between the plan's minimum and what the lines come to, rounded as they are. */
function trueUp(plan: Plan, lines: readonly InvoiceLine[], time: PeriodPart): InvoiceLine[] {
  const full = planMinimum(plan);
  if (!full) return [];
  const minimum = isWhole(time) ? full : shareOf(full, time, plan.currency);
  const words = partWords(time);
  const billed = decimal(fromMinor(totalOf(lines), plan.currency));
  const steps = [
    step(one, minimum, `minimum of the plan${words}`),
    step(one, billed.neg(), "billed by the other lines"),
  ];
  const exact = sumOf(steps);
  const amountMinor = exact.gt(zero) ? toMinor(exact, plan.currency) : 0n;
  if (amountMinor === 0n) return [];
  const description = `${plan.name || plan.key}: up to the minimum of ${plain(minimum)}${words}`;
  return [
    create(InvoiceLineSchema, {
      kind: InvoiceLineKind.MINIMUM,
      priceKey: MINIMUM_KEY,
      quantity: "1",
      amountMinor,
      description,
      exactAmount: plain(exact),
      steps,
    }),
  ];
}

/** Such as `API calls`, and for a group `API calls (region eu, no model)`. */
function nameOf(price: Price, dimensions: ReadonlyMap<string, string> = new Map()): string {
  const name = price.name || price.key;
  if (dimensions.size === 0) return name;
  const group = [...dimensions].map(([property, value]) => (value === "" ? `no ${property}` : `${property} ${value}`));
  return `${name} (${group.join(", ")})`;
}

/** Such as `API calls: 482 units`, `Egress: 76 packages of 1000000 byte`. */
function describe(name: string, price: Price, quantity: string, unit: string): string {
  const { model } = price;
  const below = quantity.startsWith("-") ? ", priced as 0" : "";
  if (model.case !== "package") return `${name}: ${quantity} ${unit || plural(quantity, "unit")}${below}`;
  const packages = plain(packageCount(model.value, beyondIncluded(price, decimal(quantity))));
  const size = unit ? `${model.value.size} ${unit}` : model.value.size;
  return `${name}: ${packages} ${plural(packages, "package")} of ${size}`;
}

function plural(count: string, noun: string): string {
  return count === "1" ? noun : `${noun}s`;
}
