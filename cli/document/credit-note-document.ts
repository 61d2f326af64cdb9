import type { CreditNote } from "../../gen/usageflow/v1/credit_note_pb.ts";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { dateIn, money } from "../output/text.ts";
import { type Document, type DocumentLine, partiesOf } from "./document.ts";

/** What a credit note says. Who it is from and to, its invoice knows. */
export function creditNoteDocument(note: CreditNote, invoice: Invoice): Document {
  const amount = (minor: bigint) => money(minor, note.currency);
  const settled = [
    { text: "Not owed any more", minor: note.dueReducedMinor },
    { text: "Becomes credit", minor: note.creditedMinor },
    { text: "Refunded", minor: note.refundedMinor },
  ];
  const named = note.lines.reduce((sum, line) => sum + line.amountMinor, 0n);
  const besides = note.lines.length === 0 ? 0n : note.amountMinor - named;
  return {
    title: `Credit note ${note.number}`,
    stamp: "",
    parties: partiesOf(invoice.seller, invoice.buyer),
    facts: {
      Customer: note.customerId,
      Invoice: `${note.invoiceNumber} of ${dateIn(invoice.timeZone, invoice.finalizedAt)}`,
      Issued: dateIn(invoice.timeZone, note.createdAt),
      Reason: note.reason,
      "Purchase order": invoice.purchaseOrder,
    },
    lines: linesOf(note, amount),
    sums: [
      ...(besides === 0n ? [] : [{ text: "Share of discounts and tax", amount: amount(besides) }]),
      ...(note.taxMinor === 0n ? [] : [{ text: "Tax in it", amount: amount(note.taxMinor) }]),
      { text: "Total taken back", amount: amount(note.amountMinor), strong: true },
      ...settled.filter(({ minor }) => minor > 0n).map(({ text, minor }) => ({ text, amount: amount(minor) })),
    ],
    notes: [],
    at: note.createdAt,
  };
}

/** The lines that it names, as they stand on the invoice; or one for all of it. */
function linesOf(note: CreditNote, amount: (minor: bigint) => string): DocumentLine[] {
  const of = `of invoice ${note.invoiceNumber}`;
  if (note.lines.length === 0)
    return [{ text: `Taken back ${of}`, quantity: "", amount: amount(note.amountMinor), parts: [] }];
  return note.lines.map((line) => ({
    text: `Line ${line.position} ${of}: ${line.description}`,
    quantity: "",
    amount: amount(line.amountMinor),
    parts: [],
  }));
}
