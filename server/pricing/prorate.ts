import { type Decimal, decimal, fromMinor, minorDigits, plain } from "../money.ts";
import type { BillingPeriod } from "./billing-period.ts";

/** A part of a full period. */
export interface PeriodPart extends BillingPeriod {
  /** The full period. */
  of: BillingPeriod;
}

/** Whether a part is all of its full period: nothing is shared then, and nothing is rounded on the way. */
export function isWhole({ start, end, of }: PeriodPart): boolean {
  return start <= of.start && of.end <= end;
}

/**
 * The share of an amount per full period that falls in a part of it, by the second, in whole minor units. It is what the
 * amount has come to at the part's end, rounded, less what it had come to at the part's start, rounded: so the shares of
 * parts that follow each other add up to the amount, wherever the cuts are, and no cent is lost or made.
 */
export function shareOf(amount: Decimal, part: PeriodPart, currency: string): Decimal {
  const minor = cumulated(amount, part.end, part.of, currency) - cumulated(amount, part.start, part.of, currency);
  return decimal(fromMinor(minor, currency));
}

/** What an amount per period has come to at an instant of it: minor units, rounded half away from zero. */
function cumulated(amount: Decimal, instant: Date, period: BillingPeriod, currency: string): bigint {
  const [whole = "", fraction = ""] = plain(amount).split(".");
  const digits = BigInt(whole + fraction);
  const length = seconds(period.start, period.end);
  const past = seconds(period.start, instant);
  const elapsed = past < 0n ? 0n : past > length ? length : past;
  const numerator = digits * elapsed * 10n ** BigInt(minorDigits(currency));
  const denominator = length * 10n ** BigInt(fraction.length);
  return (2n * numerator + denominator) / (2n * denominator); // amounts are never negative: halves go up
}

/** How much of its full period a part is, in the largest unit in which both are whole: `5 of 31 days`. */
export function shareWords({ start, end, of }: PeriodPart): string {
  const part = seconds(start, end);
  const length = seconds(of.start, of.end);
  const units = { days: 86_400n, hours: 3_600n, seconds: 1n };
  for (const [unit, size] of Object.entries(units)) {
    if (part % size === 0n && length % size === 0n) return `${part / size} of ${length / size} ${unit}`;
  }
  return ""; // not reached: all are whole in seconds
}

/** Whole seconds from one instant to another. */
function seconds(from: Date, to: Date): bigint {
  return BigInt(Math.floor((to.getTime() - from.getTime()) / 1_000));
}
