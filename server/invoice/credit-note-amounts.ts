import { type InvoiceLine, InvoiceLineKind, type InvoiceTax } from "../../gen/usageflow/v1/invoice_pb.ts";
import { partsOf, totalOf } from "./settlement.ts";

// What a credit note comes to. Pure: all amounts are minor units, and not negative.

/** What there is to take back of an invoice. */
export interface Takeable {
  /** What it was settled with: its total, and the credit that it drew. */
  value: bigint;
  /** What was to be paid for it. */
  total: bigint;
  /** The tax in it, added or contained. */
  tax: bigint;
  /** What its charges come to, before discounts and tax. */
  charges: bigint;
}

/** What earlier notes took back. */
export interface Taken {
  amount: bigint;
  /** Of the charges, by notes that name lines. */
  charges: bigint;
}

/** What becomes of an amount that is taken back. */
export interface Outcome {
  dueReduced: bigint;
  credited: bigint;
  refunded: bigint;
}

/** What there is to take back of an invoice with these lines and taxes. */
export function takeable(lines: readonly InvoiceLine[], taxes: readonly InvoiceTax[]): Takeable {
  const total = totalOf(lines);
  const drawn = totalOf(lines.filter(({ kind }) => kind === InvoiceLineKind.CREDIT_DRAWN)); // not more than 0
  return {
    value: total - drawn,
    total,
    tax: totalOf(taxes),
    charges: partsOf(lines).subtotalMinor,
  };
}

/** What is taken back with a part of the charges: its share of discounts and tax goes with it. */
export function amountOfCharges({ value, charges }: Takeable, taken: Taken, part: bigint): bigint {
  return shareUpTo(value, taken.charges + part, charges) - shareUpTo(value, taken.charges, charges);
}

/** The tax in an amount that is taken back. The tax of all notes adds up to the invoice's when all is taken back. */
export function taxOf({ value, tax }: Takeable, taken: Taken, amount: bigint): bigint {
  return shareUpTo(tax, taken.amount + amount, value) - shareUpTo(tax, taken.amount, value);
}

/**
 * What becomes of an amount. It is taken from what was to be paid first: that is not owed any more, or, when it was paid,
 * refunded or credited. The rest was paid with credit, and becomes credit again.
 */
export function outcomeOf(
  { total }: Takeable,
  taken: Taken,
  amount: bigint,
  how: { paid: boolean; refund: boolean },
): Outcome {
  const left = total > taken.amount ? total - taken.amount : 0n;
  const payable = amount < left ? amount : left;
  const drawn = amount - payable;
  if (!how.paid) return { dueReduced: payable, credited: drawn, refunded: 0n };
  return how.refund
    ? { dueReduced: 0n, credited: drawn, refunded: payable }
    : { dueReduced: 0n, credited: amount, refunded: 0n };
}

/** What of `amount` belongs to the first `upTo` of `whole`, rounded half up. What belongs to parts adds up to `amount`. */
export function shareUpTo(amount: bigint, upTo: bigint, whole: bigint): bigint {
  return whole === 0n ? 0n : (2n * amount * upTo + whole) / (2n * whole);
}
