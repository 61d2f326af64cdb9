import {
  type Invoice,
  type InvoiceChange,
  InvoiceKindSchema,
  type InvoiceLine,
  InvoiceStateSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { type Column, facts, table } from "./table.ts";
import { money, time, word } from "./text.ts";

/** An invoice as a row of a list. A draft has no number yet, and is named by its id. */
export const invoiceColumns: Column<Invoice>[] = [
  { title: "INVOICE", value: (invoice) => invoice.number || invoice.id },
  { title: "CUSTOMER", value: (invoice) => invoice.customerId, cut: true },
  { title: "STATE", value: (invoice) => word(InvoiceStateSchema, invoice.state) },
  { title: "PERIOD", value: (invoice) => time(invoice.periodStart) },
  { title: "TOTAL", value: (invoice) => money(invoice.totalMinor, invoice.currency), right: true },
];

/** What a change of its state leaves an invoice at. */
export function invoiceFacts(invoice: Invoice): string {
  const last = invoice.changes.at(-1);
  return facts({
    Invoice: invoice.number || invoice.id,
    Customer: invoice.customerId,
    State: word(InvoiceStateSchema, invoice.state),
    Total: money(invoice.totalMinor, invoice.currency),
    "Paid at": time(last?.paidAt),
    Note: last?.note ?? "",
  });
}

/** An invoice in full: each line, and below it the parts that it is made of; then what happened to it. */
export function invoiceText(invoice: Invoice): string {
  const head = facts({
    Invoice: invoice.number || invoice.id,
    Customer: invoice.customerId,
    State: word(InvoiceStateSchema, invoice.state),
    Period: `${time(invoice.periodStart)} to ${time(invoice.periodEnd)}, ${word(InvoiceKindSchema, invoice.kind)}`,
    Plan: `${invoice.plan}, version ${invoice.planVersion}`,
    Finalized: time(invoice.finalizedAt),
  });
  const total = { text: "Total", quantity: "", amount: money(invoice.totalMinor, invoice.currency) };
  const lines = table(lineColumns, [...invoice.lines.flatMap((line) => rowsOf(line, invoice.currency)), total]);
  const history = invoice.changes.length > 0 ? [table(changeColumns, invoice.changes)] : [];
  return [head, lines, ...history].join("\n\n");
}

const changeColumns: Column<InvoiceChange>[] = [
  { title: "WHEN", value: (change) => time(change.at) },
  { title: "BECAME", value: (change) => word(InvoiceStateSchema, change.to) },
  { title: "PAID AT", value: (change) => time(change.paidAt) },
  { title: "BY", value: (change) => change.keyId || "itself" },
  { title: "NOTE", value: (change) => change.note, cut: true },
];

interface LineRow {
  text: string;
  quantity: string;
  amount: string;
}

const lineColumns: Column<LineRow>[] = [
  { title: "LINE", value: (row) => row.text, cut: true },
  { title: "QUANTITY", value: (row) => row.quantity, right: true },
  { title: "AMOUNT", value: (row) => row.amount, right: true },
];

function rowsOf(line: InvoiceLine, currency: string): LineRow[] {
  const whole = { text: line.description, quantity: line.quantity, amount: money(line.amountMinor, currency) };
  if (line.steps.length < 2) return [whole];
  const parts = line.steps.map((step) => ({
    text: `  ${step.description}: ${step.quantity} x ${step.unitAmount}`,
    quantity: "",
    amount: step.amount,
  }));
  return [whole, ...parts];
}
