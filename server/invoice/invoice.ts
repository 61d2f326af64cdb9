import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import {
  type Invoice,
  type InvoiceChange,
  type InvoiceLine,
  InvoiceLineKind,
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
import { kindOf } from "./draft.ts";
import { linesOfDrafts } from "./draft-invoice-lines.ts";
import { changesOf, stateOf } from "./invoice-change.ts";

// An invoice's life:
//
//   period ends ──closePeriods──▶ DRAFT ──finalizeInvoices, when the grace period is over──▶ FINALIZED
//   FINALIZED ──▶ PAID, VOID, UNCOLLECTIBLE     UNCOLLECTIBLE ──▶ PAID, VOID     by calls, and never back
//
// A draft has no number and no stored lines: they are worked out whenever it is read. From FINALIZED on it has its document
// and lines as rows that nobody may change. Each step is a row of `invoice_change`.

/** A row of `invoice`. */
export type InvoiceRow = Selectable<InvoiceTable>;

/** A row of `invoice_line`. */
export type InvoiceLineRow = Selectable<InvoiceLineTable>;

/** What the document of a finalized invoice adds. */
interface DocumentFacts {
  number: string | null;
  finalized_at: Date | null;
}

/** The invoice as callers see it. A draft has no document. */
export function toInvoice(
  row: InvoiceRow,
  lines: InvoiceLine[],
  document?: DocumentFacts & { changes: InvoiceChange[] },
): Invoice {
  return create(InvoiceSchema, {
    id: formatId("inv", row.id),
    number: document?.number ?? "",
    customerId: row.customer_id,
    state: stateOf(row.state),
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
    changes: document?.changes ?? [],
  });
}

/** What an invoice comes to, in minor units: the sum of its rounded lines. */
export function totalOf(lines: readonly InvoiceLine[]): bigint {
  return lines.reduce((total, line) => total + line.amountMinor, 0n);
}

/** One invoice by id or number, or not-found. */
export async function getInvoice(tx: Tx, tenantId: string, id: string): Promise<Invoice> {
  const [invoice] = await whole(tx, tenantId, [await getInvoiceRow(tx, tenantId, id)]);
  return invoice as Invoice;
}

/** The row of one invoice by id or number, or not-found. */
export async function getInvoiceRow(tx: Tx, tenantId: string, id: string): Promise<InvoiceRow & DocumentFacts> {
  const uuid = parseId("inv", id);
  const invoices = selectInvoices(tx, tenantId);
  const found = uuid ? invoices.where("invoice.id", "=", uuid) : invoices.where("number", "=", id);
  const row = await found.executeTakeFirst();
  if (!row) throw notFound("invoice", id);
  return row;
}

/** Invoices of the tenant that the request's filters let through, oldest first. */
export function listInvoices(app: App, tenantId: string, request: ListInvoicesRequest) {
  const scope = { tenantId, list: "invoice" };
  const size = pageSize(request);
  const after = pageStart(app, scope, request);
  const { customerId, state, periodStartFrom: from, periodStartBefore: before } = request;
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await selectInvoices(tx, tenantId)
      .$if(customerId !== "", (query) => query.where("customer_id", "=", customerId))
      .$if(state !== InvoiceState.UNSPECIFIED, (query) =>
        query.where("state", "=", InvoiceStateSchema.value[state]?.localName ?? ""),
      )
      .$if(from !== undefined, (query) => query.where("period_start", ">=", timestampDate(from as Timestamp)))
      .$if(before !== undefined, (query) => query.where("period_start", "<", timestampDate(before as Timestamp)))
      .$if(after !== undefined, (query) => query.where("invoice.id", ">", after as string))
      .orderBy("invoice.id")
      .limit(size + 1)
      .execute();
    const { rows, nextPageToken } = pageOf(app, scope, found, size, (row) => row.id);
    return create(ListInvoicesResponseSchema, { invoices: await whole(tx, tenantId, rows), nextPageToken });
  });
}

/** The stored lines of invoices, in their order. */
export function storedLines(tx: Tx, tenantId: string, invoiceIds: readonly string[]): Promise<InvoiceLineRow[]> {
  return tx
    .selectFrom("invoice_line")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`invoice_id = any(${invoiceIds})`)
    .orderBy("invoice_id")
    .orderBy("position")
    .execute();
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

/**
 * Adds what is not in the row: the lines that finalized invoices have, and those that drafts would have now; and the steps
 * of their lives.
 */
async function whole(tx: Tx, tenantId: string, rows: readonly (InvoiceRow & DocumentFacts)[]): Promise<Invoice[]> {
  const ids = rows.map((row) => row.id);
  const stored = await storedLines(tx, tenantId, ids);
  const storedOf = Map.groupBy(stored, (line) => line.invoice_id);
  const changes = await changesOf(tx, tenantId, ids);
  const drafts = rows.filter((row) => row.state === "DRAFT");
  const { lines } = await linesOfDrafts(tx, tenantId, drafts);
  const linesOf = new Map(drafts.map((draft, i) => [draft.id, lines[i]]));
  return rows.map((row) => {
    const its = linesOf.get(row.id) ?? storedOf.get(row.id)?.map(toInvoiceLine) ?? [];
    return toInvoice(row, its, { ...row, changes: changes.get(row.id) ?? [] });
  });
}

/** The stored line as callers see it. */
export function toInvoiceLine(row: InvoiceLineRow): InvoiceLine {
  return create(InvoiceLineSchema, {
    kind: InvoiceLineKind[row.kind as keyof typeof InvoiceLineKind],
    priceKey: row.price_key,
    metric: row.metric,
    quantity: row.quantity,
    amountMinor: row.amount_minor,
    description: row.description,
    exactAmount: row.exact_amount,
    steps: (row.steps as JsonValue[]).map((step) => fromJson(InvoiceLineStepSchema, step)),
    dimensions: row.dimensions as Record<string, string>,
  });
}
