import {
  type Invoice,
  InvoiceKindSchema,
  type InvoiceLine,
  InvoiceLineKind,
  InvoiceState,
  InvoiceStateSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { dateIn, money, timeIn, word } from "../output/text.ts";
import { type Document, type DocumentLine, type DocumentPart, type DocumentSum, partiesOf } from "./document.ts";

/** What an invoice says. Its days are those of its time zone. */
export function invoiceDocument(invoice: Invoice): Document {
  const { currency, state } = invoice;
  const final = state !== InvoiceState.DRAFT;
  const zone = invoice.timeZone || "UTC"; // an older server does not say
  const period = `${timeIn(zone, invoice.periodStart)} to ${timeIn(zone, invoice.periodEnd)} ${zone}`;
  return {
    title: invoice.number ? `Invoice ${invoice.number}` : `Draft ${invoice.id}`.trimEnd(),
    stamp: state === InvoiceState.VOID || !final ? word(InvoiceStateSchema, state).toUpperCase() : "",
    parties: partiesOf(invoice.seller, invoice.buyer),
    facts: {
      Customer: invoice.customerId,
      State: word(InvoiceStateSchema, state),
      Issued: dateIn(zone, invoice.finalizedAt),
      Due: dateIn(zone, invoice.dueAt),
      Paid: dateIn(zone, invoice.changes.at(-1)?.paidAt),
      Period: `${period}, ${word(InvoiceKindSchema, invoice.kind)}`,
      Plan: `${invoice.plan}, version ${invoice.planVersion}`,
      "Purchase order": invoice.purchaseOrder,
    },
    lines: invoice.lines.filter(isCharge).map((line) => lineOf(line, currency)),
    sums: sumsOf(invoice, final),
    notes: invoice.memo === "" ? [] : [invoice.memo],
    at: invoice.finalizedAt ?? invoice.createdAt,
  };
}

/** What is still owed for an invoice: nothing, where it is paid, void or not final. */
export function amountDue({ state, totalMinor, creditedMinor }: Invoice): bigint {
  const owed = state === InvoiceState.FINALIZED || state === InvoiceState.UNCOLLECTIBLE;
  return owed && totalMinor > creditedMinor ? totalMinor - creditedMinor : 0n;
}

/** Discounts, taxes and credits stand below the lines that bill something. */
const BELOW: readonly InvoiceLineKind[] = [
  InvoiceLineKind.DISCOUNT,
  InvoiceLineKind.TAX,
  InvoiceLineKind.CREDIT_DRAWN,
  InvoiceLineKind.CREDIT_GRANTED,
];

function isCharge({ kind }: InvoiceLine): boolean {
  return !BELOW.includes(kind);
}

function lineOf(line: InvoiceLine, currency: string): DocumentLine {
  const { description: text, quantity, steps } = line;
  // A single step that is the whole line explains nothing.
  const explained = steps.length > 1 || steps.some((step) => step.quantity !== "1" && step.quantity !== "0");
  const parts = explained
    ? steps.map((step) => ({ text: `${step.description}: ${step.quantity} × ${step.unitAmount}`, amount: step.amount }))
    : [];
  return { text, quantity, amount: money(line.amountMinor, currency), parts };
}

function sumsOf(invoice: Invoice, final: boolean): DocumentSum[] {
  const { lines, currency, subtotalMinor, totalMinor, creditedMinor, taxes } = invoice;
  const row = (text: string, minor: bigint) => ({ text, amount: money(minor, currency) });
  const below = lines.filter((line) => !isCharge(line));
  return [
    ...(below.length > 0 ? [row("Subtotal", subtotalMinor)] : []),
    ...below.map((line) => ({ ...row(line.description, line.amountMinor), parts: belowParts(line) })),
    { ...row("Total", totalMinor), strong: true },
    ...taxes
      .filter(({ inclusive }) => inclusive)
      .map(({ name, percent, amountMinor }) => row(`${name} (${percent}%) in it`, amountMinor)),
    ...(creditedMinor > 0n ? [row("Taken back by credit notes", -creditedMinor)] : []),
    ...(final ? [{ ...row("Amount due", amountDue(invoice)), strong: true } as const] : []),
  ];
}

/** A discount, a tax or credit: what it is on, or which credits. One that is taken whole says it all by itself. */
function belowParts({ kind, steps }: InvoiceLine): DocumentPart[] {
  const told = kind === InvoiceLineKind.CREDIT_DRAWN ? steps : steps.filter(({ quantity }) => quantity !== "1");
  return told.map(({ description, amount }) => ({ text: description, amount }));
}
