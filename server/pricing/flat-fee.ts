import type { InvoiceLineStep } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Flat } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Decimal, decimal, plain, toMinor } from "../money.ts";
import type { SeatSpan } from "./phase.ts";
import { one, step, sumOf } from "./price-step.ts";
import { isWhole, type PeriodPart, shareOf, shareWords } from "./prorate.ts";
import { lineMax, type PriceTerms, type Rating, rate } from "./rate.ts";

/** What a flat price costs, and for how many seats at the end; 1 when it does not depend on them. */
export interface FlatRating extends Rating {
  /** A decimal. */
  seats: string;
}

/**
 * What a flat price comes to in a period, or a part of one, with the seats that there were in it. Each time that is not a
 * full period owes its share, a step of its own; without seats nothing is owed.
 */
export function rateFlat(
  price: PriceTerms,
  currency: string,
  { of, seats }: Pick<PeriodPart, "of"> & { seats: readonly SeatSpan[] },
): FlatRating {
  const { model } = price;
  if (model.case !== "flat") throw new Error("a price that is not flat");
  const spans = model.value.perSeat ? seats : together(seats);
  const last = String(spans.at(-1)?.quantity ?? 0);
  const [only] = spans;
  if (only && spans.length === 1 && isWhole({ ...only, of })) {
    return { ...rate(price, decimal(last), currency), seats: last };
  }
  const steps = spans.map((span) => shareStep(model.value, currency, { ...span, of }));
  const exact = sumOf(steps);
  return { exact, amountMinor: toMinor(exact, currency), steps, seats: last };
}

/** One span from the first to the last, for what does not depend on the number of seats. */
function together(spans: readonly SeatSpan[]): SeatSpan[] {
  const [first, last] = [spans[0], spans.at(-1)];
  return first && last ? [{ start: first.start, end: last.end, quantity: 1 }] : [];
}

function shareStep({ amount, perSeat }: Flat, currency: string, span: PeriodPart & SeatSpan): InvoiceLineStep {
  const share = shareOf(
    atMost(decimal(amount).times(decimal(String(span.quantity))), lineMax(currency)),
    span,
    currency,
  );
  const words = shareWords(span);
  const each = plain(decimal(amount));
  const seats = `${span.quantity} ${span.quantity === 1 ? "seat" : "seats"}`;
  return step(one, share, perSeat ? `${seats} at ${each} for ${words}` : `${words} of ${each}`);
}

function atMost(amount: Decimal, most: Decimal): Decimal {
  return amount.gt(most) ? most : amount;
}
