import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Temporal } from "temporal-polyfill";
import {
  type InvoiceLine,
  InvoiceLineKind,
  InvoiceLineSchema,
  type InvoiceLineStep,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { formatId } from "../id.ts";
import { decimal, fromMinor, plain, toMinor } from "../money.ts";
import { one, step, sumOf } from "../pricing/price-step.ts";
import type { InvoiceRow } from "./invoice.ts";
import { totalOf } from "./settlement.ts";
import type { TakenCharges } from "./taken-charges.ts";

/** A line of a final invoice. */
export interface BilledLine {
  line: InvoiceLine;
  /** Of the invoice. */
  number: string;
}

/** A final invoice whose period is priced again, and all that was billed for it. */
export interface Rerating {
  invoice: InvoiceRow & { number: string; time_zone: string };
  /** Its own lines for what its plan charges. */
  charges: readonly InvoiceLine[];
  /** Lines of later invoices that adjusted it. */
  adjustments: readonly BilledLine[];
  /** What credit notes took back of all that. */
  taken: readonly TakenCharges[];
}

/** What is left to give back of all that was billed for a period. Less than 0: more was given. A void invoice bills nothing. */
export function chargesLeft({ invoice, charges, adjustments, taken }: Rerating): bigint {
  const billed = [...(invoice.state === "VOID" ? [] : charges), ...adjustments.map(({ line }) => line)];
  return totalOf(billed) - totalOf(taken);
}

/**
 * The difference between what a period costs now, by its lines as they would be, and all that was billed for it. What
 * credit notes took back is not given back again, and not billed again either.
 */
export function adjustmentLine(rerating: Rerating, now: readonly InvoiceLine[]): InvoiceLine {
  const { invoice, charges, adjustments, taken } = rerating;
  const { currency } = invoice;
  const before = totalOf([...charges, ...adjustments.map(({ line }) => line)]);
  const limit = notGivenAgain(rerating, before, totalOf(now));
  const steps = [
    ...changedCharges(rerating, now),
    ...adjustments.map(({ line, number }) => billed(line, number, "adjusted", currency)),
    ...limit,
  ];
  const exact = sumOf(steps);
  const isLate = invoice.kind !== "IN_ADVANCE";
  const words = (minor: bigint) => fromMinor(minor, currency);
  const of = limit.length > 0 ? `, of which credit notes took back ${words(totalOf(taken))}` : "";
  const period = `${day(invoice.period_start, invoice.time_zone)} to ${day(invoice.period_end, invoice.time_zone)}`;
  return create(InvoiceLineSchema, {
    kind: isLate ? InvoiceLineKind.LATE_USAGE : InvoiceLineKind.PRORATION,
    priceKey: isLate ? "late_usage" : "proration",
    quantity: "1",
    amountMinor: toMinor(exact, currency),
    description: `${isLate ? "Late usage of" : "Changes in"} ${period}: ${words(totalOf(now))} instead of ${words(before)}${of}`,
    exactAmount: plain(exact),
    steps,
    adjustedInvoiceId: formatId("inv", invoice.id),
    adjustedInvoiceNumber: invoice.number,
    adjustedPeriodStart: timestampFromDate(invoice.period_start),
    adjustedPeriodEnd: timestampFromDate(invoice.period_end),
  });
}

/** Each line of the period as it is now, and as it was billed; those that are the same are left out on both sides. */
function changedCharges({ invoice, charges }: Rerating, now: readonly InvoiceLine[]): InvoiceLineStep[] {
  const left = new Map(charges.map((line) => [keyOf(line), line]));
  const right = new Map(now.map((line) => [keyOf(line), line]));
  return [...new Set([...right.keys(), ...left.keys()])].flatMap((key) => {
    const [line, old] = [right.get(key), left.get(key)];
    if (line && old && line.amountMinor === old.amountMinor && line.quantity === old.quantity) return [];
    return [
      ...(line ? [step(one, decimal(fromMinor(line.amountMinor, invoice.currency)), line.description)] : []),
      ...(old ? [billed(old, invoice.number, old.description, invoice.currency)] : []),
    ];
  });
}

/**
 * Parts that keep a negative difference from giving back what credit notes took back already: each note, so that it can be
 * told which ones counted; and what would then be billed again, which is taken off. None where enough is left.
 */
function notGivenAgain({ invoice, taken }: Rerating, before: bigint, now: bigint): InvoiceLineStep[] {
  const left = before - totalOf(taken);
  const least = left > 0n ? -left : 0n;
  if (taken.length === 0 || now - before >= least) return [];
  const amount = (minor: bigint) => decimal(fromMinor(minor, invoice.currency));
  // Without this the notes' parts would make up more than the difference lacks.
  const surplus = totalOf(taken) - (least - (now - before));
  return [
    ...taken.map(({ number, amountMinor }) => ({
      ...step(one, amount(amountMinor), `taken back by credit note ${number}`),
      creditNoteNumber: number,
    })),
    ...(surplus === 0n ? [] : [step(one, amount(-surplus), "taken back, and not billed again")]),
  ];
}

/** What tells the lines of one invoice for prices apart. */
function keyOf({ kind, priceKey, dimensions }: InvoiceLine): string {
  return JSON.stringify([kind, priceKey, Object.entries(dimensions).sort()]); // as stored, in no order
}

function billed(line: InvoiceLine, number: string, words: string, currency: string): InvoiceLineStep {
  const amount = decimal(fromMinor(line.amountMinor, currency)).neg();
  return { ...step(one, amount, `${words}, billed on ${number}`), invoiceNumber: number };
}

/** Such as `2015-05-01`; with the time where a period does not begin at midnight. */
function day(at: Date, timeZone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(timeZone).toPlainDateTime();
  const text = local.toString({ smallestUnit: "second" });
  return text.endsWith("T00:00:00") ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ");
}
