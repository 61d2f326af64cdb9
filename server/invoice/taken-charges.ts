import type { InvoiceLine } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { type CreditNoteRow, creditNotesOf, linesOf } from "./credit-note.ts";
import { shareUpTo } from "./credit-note-amounts.ts";
import { storedLines, toInvoiceLine } from "./invoice-line.ts";
import { isCharge, partsOf } from "./settlement.ts";

// Which charges a credit note takes back: so that the same are not given back once more when their period is priced again.
// It follows from the invoice and its notes, which never change.

/** Charges for one period that a credit note took back. */
export interface TakenCharges {
  /** Of the note. */
  number: string;
  /** The invoice of the period, `inv_...`: the one that the note is of, or one that that priced again. */
  invoiceId: string;
  amountMinor: bigint;
}

/** What a note takes, as its row says it. */
export type NoteAmounts = Pick<CreditNoteRow, "number" | "before_minor" | "amount_minor" | "value_minor" | "lines">;

/** What an invoice charges for its own period, which comes first, and for each that it prices again and that costs more. */
export function chargesByPeriod(invoiceId: string, lines: readonly InvoiceLine[]): Map<string, bigint> {
  const charges = new Map([[invoiceId, 0n]]);
  for (const line of lines) {
    const period = periodOf(invoiceId, line);
    if (period && line.amountMinor > 0n) charges.set(period, (charges.get(period) ?? 0n) + line.amountMinor);
  }
  return charges;
}

/**
 * What each note of an invoice took of the charges for each period, of notes in the order in which they were made. A note
 * takes the share of the charges that its amount is of all that there is to take back: first of the lines that it names,
 * then of the invoice's own period, then of others.
 */
export function takenCharges(
  invoiceId: string,
  lines: readonly InvoiceLine[],
  notes: readonly NoteAmounts[],
): TakenCharges[] {
  const left = chargesByPeriod(invoiceId, lines);
  const { subtotalMinor } = partsOf(lines);
  return notes.flatMap((note) => {
    let rest = chargesUpTo(note, subtotalMinor, note.amount_minor) - chargesUpTo(note, subtotalMinor, 0n);
    const taken = new Map<string, bigint>();
    const take = (period: string, most: bigint) => {
      const amount = [most, rest, left.get(period) ?? 0n].reduce((a, b) => (b < a ? b : a));
      rest -= amount;
      left.set(period, (left.get(period) ?? 0n) - amount);
      taken.set(period, (taken.get(period) ?? 0n) + amount);
    };
    for (const { position, amountMinor } of linesOf(note)) {
      take(periodOf(invoiceId, lines[position - 1] as InvoiceLine) ?? invoiceId, amountMinor);
    }
    for (const period of left.keys()) take(period, rest);
    return [...taken]
      .filter(([, amountMinor]) => amountMinor > 0n)
      .map(([period, amountMinor]) => ({ number: note.number, invoiceId: period, amountMinor }));
  });
}

/** What the notes of some invoices took of charges, those of one invoice in their order. */
export async function takenChargesOf(tx: Tx, tenantId: string, invoiceIds: readonly string[]): Promise<TakenCharges[]> {
  const notes = Map.groupBy(await creditNotesOf(tx, tenantId, invoiceIds), (note) => note.invoice_id);
  if (notes.size === 0) return [];
  const lines = Map.groupBy(await storedLines(tx, tenantId, [...notes.keys()]), (line) => line.invoice_id);
  return [...notes].flatMap(([id, its]) =>
    takenCharges(formatId("inv", id), (lines.get(id) ?? []).map(toInvoiceLine), its),
  );
}

function chargesUpTo({ before_minor, value_minor }: NoteAmounts, charges: bigint, amount: bigint): bigint {
  return shareUpTo(charges, before_minor + amount, value_minor);
}

/** The invoice for whose period a line charges, `inv_...`. Undefined: it charges nothing. */
function periodOf(invoiceId: string, line: InvoiceLine): string | undefined {
  return isCharge(line) ? line.adjustedInvoiceId || invoiceId : undefined;
}
