import type { ReactNode } from "react";
import { type Invoice, InvoiceState, InvoiceStateSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { amountDue } from "../document/invoice-document.ts";
import { dateIn, money, word } from "../output/text.ts";
import type { GridColumn } from "./grid.ts";
import { ListView } from "./list-view.tsx";
import { bodyOf, type DashboardState } from "./state.ts";
import { digits, invoiceColor } from "./words.ts";

const NONE = "There are none yet. They are made by themselves when a period ends.";

function amount(minor: bigint, currency: string): string {
  const [number = "", code = ""] = money(minor, currency).split(" ");
  return `${digits(number)} ${code}`;
}

const columns: GridColumn<Invoice>[] = [
  { title: "INVOICE", width: 12, value: ({ number }) => number || "–" },
  { title: "CUSTOMER", width: "rest", value: ({ customerId }) => customerId },
  { title: "STATE", width: 13, value: ({ state }) => word(InvoiceStateSchema, state), color: invoiceColor },
  { title: "PERIOD", width: 10, value: ({ timeZone, periodStart }) => dateIn(timeZone, periodStart), from: 70 },
  { title: "PLAN", width: 14, value: ({ plan, planVersion }) => `${plan}, v${planVersion}`, from: 96 },
  { title: "DUE", width: 10, value: ({ timeZone, dueAt }) => dateIn(timeZone, dueAt), from: 96 },
  { title: "TOTAL", width: 15, value: ({ totalMinor, currency }) => amount(totalMinor, currency), right: true },
  { title: "OWED", width: 16, value: owed, right: true, from: 116 },
];

function owed(invoice: Invoice): string {
  return invoice.state === InvoiceState.DRAFT ? "" : amount(amountDue(invoice), invoice.currency);
}

/** Invoices, newest first. */
export function InvoicesView({ state }: { state: DashboardState }): ReactNode {
  const { invoices, size } = state;
  return <ListView title="Invoices" list={invoices} columns={columns} none={NONE} {...bodyOf(size)} />;
}
