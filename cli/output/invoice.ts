import {
  type Invoice,
  type InvoiceChange,
  InvoiceState,
  InvoiceStateSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { amountDue, invoiceDocument } from "../document/invoice-document.ts";
import { documentText } from "../document/text.ts";
import { type Column, facts, table } from "./table.ts";
import { dateIn, money, timeIn, word } from "./text.ts";

/** An invoice as a row of a list. A draft has no number yet, and is named by its id. */
export const invoiceColumns: Column<Invoice>[] = [
  { title: "INVOICE", value: (invoice) => invoice.number || invoice.id },
  { title: "CUSTOMER", value: (invoice) => invoice.customerId, cut: true },
  { title: "STATE", value: (invoice) => word(InvoiceStateSchema, invoice.state) },
  { title: "PERIOD", value: (invoice) => dateIn(invoice.timeZone, invoice.periodStart) },
  { title: "DUE", value: (invoice) => dateIn(invoice.timeZone, invoice.dueAt), spare: true },
  { title: "TOTAL", value: (invoice) => money(invoice.totalMinor, invoice.currency), right: true },
  { title: "OWED", value: owed, right: true, spare: true },
];

function owed(invoice: Invoice): string {
  return invoice.state === InvoiceState.DRAFT ? "" : money(amountDue(invoice), invoice.currency);
}

/** What a change of its state leaves an invoice at. */
export function invoiceFacts(invoice: Invoice): string {
  const last = invoice.changes.at(-1);
  return facts({
    Invoice: invoice.number || invoice.id,
    Customer: invoice.customerId,
    State: word(InvoiceStateSchema, invoice.state),
    Total: money(invoice.totalMinor, invoice.currency),
    Due: invoice.state === InvoiceState.FINALIZED ? dateIn(invoice.timeZone, invoice.dueAt) : "",
    "Paid at": timeIn(invoice.timeZone, last?.paidAt),
    Note: last?.note ?? "",
  });
}

/** An invoice in full: the document, then what happened to it. */
export function invoiceText(invoice: Invoice): string {
  const history = invoice.changes.length > 0 ? [table(changeColumns(invoice.timeZone), invoice.changes)] : [];
  return [documentText(invoiceDocument(invoice)), ...history].join("\n\n");
}

function changeColumns(timeZone: string): Column<InvoiceChange>[] {
  return [
    { title: "WHEN", value: (change) => timeIn(timeZone, change.at) },
    { title: "BECAME", value: (change) => word(InvoiceStateSchema, change.to) },
    { title: "PAID AT", value: (change) => timeIn(timeZone, change.paidAt) },
    { title: "BY", value: (change) => change.keyId || "itself" },
    { title: "NOTE", value: (change) => change.note, cut: true },
  ];
}
