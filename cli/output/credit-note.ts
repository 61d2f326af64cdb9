import type { CreditNote } from "../../gen/usageflow/v1/credit_note_pb.ts";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { creditNoteDocument } from "../document/credit-note-document.ts";
import { documentText } from "../document/text.ts";
import { type Column, facts } from "./table.ts";
import { date, money } from "./text.ts";

/** A credit note as a row of a list. */
export const creditNoteColumns: Column<CreditNote>[] = [
  { title: "CREDIT NOTE", value: (note) => note.number },
  { title: "INVOICE", value: (note) => note.invoiceNumber },
  { title: "CUSTOMER", value: (note) => note.customerId, cut: "last" },
  { title: "ISSUED", value: (note) => date(note.createdAt) },
  { title: "AMOUNT", value: (note) => money(note.amountMinor, note.currency), right: true },
  { title: "REASON", value: (note) => note.reason, cut: true },
];

/** What a new credit note did. */
export function creditNoteFacts(note: CreditNote): string {
  const amount = (minor: bigint) => (minor === 0n ? "" : money(minor, note.currency));
  return facts({
    "Credit note": note.number,
    Invoice: note.invoiceNumber,
    Customer: note.customerId,
    Amount: money(note.amountMinor, note.currency),
    "Tax in it": amount(note.taxMinor),
    "Not owed any more": amount(note.dueReducedMinor),
    "Becomes credit": amount(note.creditedMinor),
    Refunded: amount(note.refundedMinor),
    Reason: note.reason,
  });
}

/** A credit note in full. */
export function creditNoteText(note: CreditNote, invoice: Invoice): string {
  return documentText(creditNoteDocument(note, invoice));
}
