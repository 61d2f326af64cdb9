import {
  type Invoice,
  type InvoiceChange,
  InvoiceKindSchema,
  type InvoiceLine,
  InvoiceLineKind,
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
  const rows = invoice.lines.flatMap((line) => rowsOf(line, invoice.currency));
  const lines = table(lineColumns, [...rows, ...totalRows(invoice)]);
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

/** What the lines come to: by what they are, where there is more than charges. */
function totalRows(invoice: Invoice): LineRow[] {
  const row = (text: string, minor: bigint) => ({ text, quantity: "", amount: money(minor, invoice.currency) });
  const { subtotalMinor, discountMinor, taxMinor, creditMinor, totalMinor, taxes } = invoice;
  const parts = [row("Discounts", -discountMinor), row("Tax", taxMinor), row("Credit", -creditMinor)];
  const given = parts.filter((_, i) => [discountMinor, taxMinor, creditMinor][i] !== 0n);
  const above = given.length > 0 ? [row("Subtotal", subtotalMinor), ...given] : [];
  const contained = taxes.filter((tax) => tax.inclusive);
  const below = contained.map((tax) => row(`  ${tax.name} (${tax.percent}%) in it`, tax.amountMinor));
  return [...above, row("Total", totalMinor), ...below];
}

function rowsOf(line: InvoiceLine, currency: string): LineRow[] {
  if (line.kind >= InvoiceLineKind.DISCOUNT) return settlementRows(line, currency);
  const whole = { text: line.description, quantity: line.quantity, amount: money(line.amountMinor, currency) };
  if (line.steps.length < 2) return [whole];
  const parts = line.steps.map((step) => ({
    text: `  ${step.description}: ${step.quantity} x ${step.unitAmount}`,
    quantity: "",
    amount: step.amount,
  }));
  return [whole, ...parts];
}

/** A discount, a tax or credit: what it is on, or which credits. An amount that is taken whole says it all by itself. */
function settlementRows(line: InvoiceLine, currency: string): LineRow[] {
  const whole = { text: line.description, quantity: "", amount: money(line.amountMinor, currency) };
  const parts = line.steps.filter((step) => step.quantity !== "1" || line.kind === InvoiceLineKind.CREDIT_DRAWN);
  return [whole, ...parts.map((step) => ({ text: `  ${step.description}`, quantity: "", amount: step.amount }))];
}
