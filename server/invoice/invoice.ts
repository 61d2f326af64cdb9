import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import {
  type Invoice,
  type InvoiceLine,
  InvoiceLineSchema,
  InvoiceLineStepSchema,
  InvoiceSchema,
  InvoiceState,
  InvoiceStateSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { type ListInvoicesRequest, ListInvoicesResponseSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { InvoiceLine as InvoiceLineTable, Invoice as InvoiceTable } from "../db/tables.ts";
import { formatId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { pageOf, pageSize, pageStart } from "../rpc/page.ts";
import { kindOf, linesOfDrafts } from "./draft.ts";

// An invoice's life:
//
//   period ends ──closePeriods──▶ DRAFT ──finalizeInvoices, when the grace period is over──▶ FINALIZED
//
// A draft has no number and no stored lines: they are worked out whenever it is read. A finalized one has its document and
// lines as rows that nobody may change.

/** A row of `invoice`. */
export type InvoiceRow = Selectable<InvoiceTable>;

/** What the document of a finalized invoice adds. */
export interface DocumentFacts {
  number: string | null;
  finalized_at: Date | null;
}

/** The invoice as callers see it. */
export function toInvoice(row: InvoiceRow, lines: InvoiceLine[], document?: DocumentFacts): Invoice {
  return create(InvoiceSchema, {
    id: formatId("inv", row.id),
    number: document?.number ?? "",
    customerId: row.customer_id,
    state: InvoiceState[row.state as keyof typeof InvoiceState],
    currency: row.currency,
    totalMinor: totalOf(lines),
    periodStart: timestampFromDate(row.period_start),
    periodEnd: timestampFromDate(row.period_end),
    lines,
    subscriptionId: formatId("sub", row.subscription_id),
    plan: row.plan_key,
    planVersion: row.plan_version,
    kind: kindOf(row),
    createdAt: timestampFromDate(row.created_at),
    ...(document?.finalized_at ? { finalizedAt: timestampFromDate(document.finalized_at) } : {}),
    finalizeAt: timestampFromDate(row.finalize_at),
  });
}

/** What an invoice comes to, in minor units: the sum of its rounded lines. */
export function totalOf(lines: readonly InvoiceLine[]): bigint {
  return lines.reduce((total, line) => total + line.amountMinor, 0n);
}

/** One invoice by id or number, or not-found. */
export async function getInvoice(tx: Tx, tenantId: string, id: string): Promise<Invoice> {
  const uuid = parseId("inv", id);
  const invoices = selectInvoices(tx, tenantId);
  const rows = await (uuid ? invoices.where("invoice.id", "=", uuid) : invoices.where("number", "=", id)).execute();
  const [invoice] = await withLines(tx, tenantId, rows);
  if (!invoice) throw notFound("invoice", id);
  return invoice;
}

/** Invoices of the tenant, or those of one customer or in one state, oldest first. */
export function listInvoices(app: App, tenantId: string, request: ListInvoicesRequest) {
  const scope = { tenantId, list: "invoice" };
  const size = pageSize(request);
  const after = pageStart(app, scope, request);
  const { customerId, state } = request;
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await selectInvoices(tx, tenantId)
      .$if(customerId !== "", (query) => query.where("customer_id", "=", customerId))
      .$if(state !== InvoiceState.UNSPECIFIED, (query) =>
        query.where("state", "=", InvoiceStateSchema.value[state]?.localName ?? ""),
      )
      .$if(after !== undefined, (query) => query.where("invoice.id", ">", after as string))
      .orderBy("invoice.id")
      .limit(size + 1)
      .execute();
    const { rows, nextPageToken } = pageOf(app, scope, found, size, (row) => row.id);
    return create(ListInvoicesResponseSchema, { invoices: await withLines(tx, tenantId, rows), nextPageToken });
  });
}

function selectInvoices(tx: Tx, tenantId: string) {
  return tx
    .selectFrom("invoice")
    .leftJoin("invoice_document", (join) =>
      join
        .onRef("invoice_document.tenant_id", "=", "invoice.tenant_id")
        .onRef("invoice_document.invoice_id", "=", "invoice.id"),
    )
    .selectAll("invoice")
    .select(["number", "finalized_at"])
    .where("invoice.tenant_id", "=", tenantId);
}

/** Adds the lines: those that finalized invoices have, and those that drafts would have now. */
async function withLines(tx: Tx, tenantId: string, rows: readonly (InvoiceRow & DocumentFacts)[]): Promise<Invoice[]> {
  const ids = rows.map((row) => row.id);
  const stored = await tx
    .selectFrom("invoice_line")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`invoice_id = any(${ids})`)
    .orderBy("invoice_id")
    .orderBy("position")
    .execute();
  const storedOf = Map.groupBy(stored, (line) => line.invoice_id);
  const drafts = rows.filter((row) => row.state === "DRAFT");
  const { lines } = await linesOfDrafts(tx, tenantId, drafts);
  const linesOf = new Map(drafts.map((draft, i) => [draft.id, lines[i]]));
  return rows.map((row) => {
    const its = linesOf.get(row.id) ?? storedOf.get(row.id)?.map(toInvoiceLine) ?? [];
    return toInvoice(row, its, row);
  });
}

function toInvoiceLine(row: Selectable<InvoiceLineTable>): InvoiceLine {
  return create(InvoiceLineSchema, {
    priceKey: row.price_key,
    metric: row.metric,
    quantity: row.quantity,
    amountMinor: row.amount_minor,
    description: row.description,
    exactAmount: row.exact_amount,
    steps: (row.steps as JsonValue[]).map((step) => fromJson(InvoiceLineStepSchema, step)),
  });
}
