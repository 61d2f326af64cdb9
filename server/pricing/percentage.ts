import type { InvoiceLineStep } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Percentage } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Decimal, decimal, plain, zero } from "../money.ts";
import { one, step } from "./price-step.ts";

/**
 * What a period's events come to under a percentage price, as far as they were counted. It holds all that the events
 * after them need to know, so that they can be read a page at a time, however many there are.
 */
export interface EventTally {
  readonly all: Part;
  /** Events that are not free as a whole, and what of their amounts is not free. */
  readonly charged: Part;
  /** Events that were raised to their minimum, and by how much. */
  readonly raised: Part;
  /** Events that were lowered to their maximum, and by how much. */
  readonly lowered: Part;
}

/** Some events, and an amount of money. */
interface Part {
  readonly events: bigint;
  readonly amount: Decimal;
}

const nothing: Part = { events: 0n, amount: zero };

/** The tally before the first event. */
export const noEvents: EventTally = { all: nothing, charged: nothing, raised: nothing, lowered: nothing };

/** Counts the amounts of the events that come next. */
export function countEvents(percentage: Percentage, tally: EventTally, amounts: readonly string[]): EventTally {
  const terms = termsOf(percentage);
  let { all, charged, raised, lowered } = tally;
  for (const text of amounts) {
    const amount = decimal(text);
    const free = freePart(terms, all, amount);
    all = plus(all, amount);
    if (free?.eq(amount)) continue;
    const rest = free ? amount.minus(free) : amount;
    charged = plus(charged, rest);
    if (!terms.min && !terms.max) continue;
    const owed = rest.times(terms.rate).plus(terms.fixed);
    if (terms.min?.gt(owed)) raised = plus(raised, terms.min.minus(owed));
    if (terms.max?.lt(owed)) lowered = plus(lowered, owed.minus(terms.max));
  }
  return { all, charged, raised, lowered };
}

/** What the events owe, part by part. */
export function percentageSteps(percentage: Percentage, { all, charged, raised, lowered }: EventTally) {
  const { rate, fixed, min, max } = termsOf(percentage);
  const steps: InvoiceLineStep[] = [];
  const free = { events: all.events - charged.events, amount: all.amount.minus(charged.amount) };
  if (free.events > 0n || free.amount.gt(zero)) {
    const whole = free.events > 0n ? `, ${counted(free.events)} as a whole` : "";
    steps.push(step(free.amount, zero, `free amount${whole}`));
  }
  steps.push(step(charged.amount, rate, `${percentage.percent}% of the amount`));
  if (fixed.gt(zero)) steps.push(step(decimal(charged.events.toString()), fixed, "fixed amount per event"));
  if (min && raised.events > 0n) {
    steps.push(step(one, raised.amount, `up to the minimum of ${plain(min)} in ${counted(raised.events)}`));
  }
  if (max && lowered.events > 0n) {
    steps.push(step(one, lowered.amount.neg(), `down to the maximum of ${plain(max)} in ${counted(lowered.events)}`));
  }
  return steps;
}

/** The terms as numbers. What does not apply is undefined. */
interface Terms {
  rate: Decimal;
  fixed: Decimal;
  freeEvents: bigint | undefined;
  freeAmount: Decimal | undefined;
  min: Decimal | undefined;
  max: Decimal | undefined;
}

function termsOf(percentage: Percentage): Terms {
  const positive = (text: string) => {
    const value = decimal(text || "0");
    return value.gt(zero) ? value : undefined;
  };
  return {
    rate: decimal(percentage.percent).times(decimal("0.01")),
    fixed: decimal(percentage.fixedAmount || "0"),
    freeEvents: percentage.freeEvents > 0 ? BigInt(percentage.freeEvents) : undefined,
    freeAmount: positive(percentage.freeAmount),
    min: positive(percentage.minPerEvent),
    max: positive(percentage.maxPerEvent),
  };
}

/** What is free of the amount of the event that comes after those; undefined once what is free has run out. */
function freePart({ freeEvents, freeAmount }: Terms, before: Part, amount: Decimal): Decimal | undefined {
  if (freeEvents === undefined && !freeAmount) return undefined;
  if (freeEvents !== undefined && before.events >= freeEvents) return undefined;
  if (!freeAmount) return amount;
  const left = freeAmount.minus(before.amount);
  if (left.lte(zero)) return undefined;
  return left.lt(amount) ? left : amount;
}

function plus(part: Part, amount: Decimal): Part {
  return { events: part.events + 1n, amount: part.amount.plus(amount) };
}

function counted(events: bigint): string {
  return events === 1n ? "1 event" : `${events} events`;
}
