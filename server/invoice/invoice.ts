import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import {
  type Invoice,
  type InvoiceChange,
  InvoiceSchema,
  InvoiceState,
  InvoiceStateSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { type ListInvoicesRequest, ListInvoicesResponseSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Invoice as InvoiceTable } from "../db/tables.ts";
import { inPieces } from "../give-way.ts";
import { formatId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { type BillingDetails, type DetailsColumns, detailsOfDrafts, storedDetails } from "./billing-details.ts";
import { takenBackOf } from "./credit-note.ts";
import { kindOf } from "./draft.ts";
import { linesOfDrafts } from "./draft-invoice-lines.ts";
import { changesOf, stateOf } from "./invoice-change.ts";
import { storedLines, toInvoiceLine } from "./invoice-line.ts";
import { taxesFromJson } from "./invoice-tax.ts";
import { partsOf, type Settlement, totalOf } from "./settlement.ts";

// An invoice's life:
//
//   period ends ──closePeriods──▶ DRAFT ──finalizeInvoices, when the grace period is over──▶ FINALIZED
//   FINALIZED ──▶ PAID, VOID, UNCOLLECTIBLE     UNCOLLECTIBLE ──▶ PAID, VOID     by calls, and never back
//
// A draft has no number and no stored lines: they are worked out whenever it is read. From FINALIZED on it has its document
// and lines as rows that nobody may change. Each step is a row of `invoice_change`.

/** A row of `invoice`. */
export type InvoiceRow = Selectable<InvoiceTable>;

/** What the document of a finalized invoice adds. */
interface DocumentFacts {
  number: string | null;
  finalized_at: Date | null;
}

/** An invoice as it is found: a draft's document is all null. */
export type FoundInvoice = InvoiceRow &
  DocumentFacts & { [Column in keyof DetailsColumns]: DetailsColumns[Column] | null } & {
    taxes: unknown;
    time_zone: string;
  };

/** What was made of an invoice's charges. */
type Settled = Pick<Settlement, "lines" | "taxes">;

/** The invoice as callers see it. A draft has no document. */
export function toInvoice(
  row: InvoiceRow,
  { lines, taxes }: Settled,
  details: BillingDetails,
  document?: DocumentFacts & { changes: InvoiceChange[]; creditedMinor?: bigint },
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
    fullPeriodStart: timestampFromDate(row.full_period_start),
    fullPeriodEnd: timestampFromDate(row.full_period_end),
    ...partsOf(lines),
    taxes,
    ...details,
    creditedMinor: document?.creditedMinor ?? 0n,
  });
}

/** One invoice by id or number, or not-found. */
export async function getInvoice(tx: Tx, tenantId: string, id: string): Promise<Invoice> {
  const [invoice] = await whole(tx, tenantId, [await getInvoiceRow(tx, tenantId, id)]);
  return invoice as Invoice;
}

/** The row of one invoice by id or number, or not-found. */
export async function getInvoiceRow(tx: Tx, tenantId: string, id: string): Promise<FoundInvoice> {
  const uuid = parseId("inv", id);
  const invoices = selectInvoices(tx, tenantId);
  const found = uuid ? invoices.where("invoice.id", "=", uuid) : invoices.where("number", "=", id);
  const row = await found.executeTakeFirst();
  if (!row) throw notFound("invoice", id);
  return row;
}

/** Invoices of the tenant that the request's filters let through, oldest first, or newest first. */
export function listInvoices(app: App, tenantId: string, request: ListInvoicesRequest) {
  const { customerId, state, periodStartFrom: from, periodStartBefore: before, newestFirst } = request;
  const page = openPage(app, { tenantId, list: newestFirst ? "invoice_newest" : "invoice" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await selectInvoices(tx, tenantId)
      .$if(customerId !== "", (query) => query.where("invoice.customer_id", "=", customerId))
      .$if(state !== InvoiceState.UNSPECIFIED, (query) =>
        query.where("invoice.state", "=", InvoiceStateSchema.value[state]?.localName ?? ""),
      )
      .$if(from !== undefined, (query) => query.where("invoice.period_start", ">=", timestampDate(from as Timestamp)))
      .$if(before !== undefined, (query) =>
        query.where("invoice.period_start", "<", timestampDate(before as Timestamp)),
      )
      .$if(page.after !== undefined, (query) =>
        query.where("invoice.id", newestFirst ? "<" : ">", page.after as string),
      )
      .orderBy("invoice.id", newestFirst ? "desc" : "asc")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListInvoicesResponseSchema, { invoices: await whole(tx, tenantId, rows), nextPageToken });
  });
}

/** Invoices of the tenant, with what their documents say; the caller says which of them, and in which order. */
export function selectInvoices(tx: Tx, tenantId: string) {
  return tx
    .selectFrom("invoice")
    .leftJoin("invoice_document", (join) =>
      join
        .onRef("invoice_document.tenant_id", "=", "invoice.tenant_id")
        .onRef("invoice_document.invoice_id", "=", "invoice.id"),
    )
    .innerJoin("subscription", (join) =>
      join
        .onRef("subscription.tenant_id", "=", "invoice.tenant_id")
        .onRef("subscription.id", "=", "invoice.subscription_id"),
    )
    .selectAll("invoice")
    .select([
      "subscription.time_zone",
      "number",
      "finalized_at",
      "taxes",
      "seller",
      "buyer",
      "purchase_order",
      "invoice_document.due_at",
      "memo",
    ])
    .where("invoice.tenant_id", "=", tenantId);
}

/**
 * Adds what is not in the row: the lines and terms that finalized invoices have, and those that drafts would have now; and
 * the steps of their lives.
 */
async function whole(tx: Tx, tenantId: string, rows: readonly FoundInvoice[]): Promise<Invoice[]> {
  const ids = rows.map((row) => row.id);
  const stored = await storedLines(tx, tenantId, ids);
  const storedOf = Map.groupBy(stored, (line) => line.invoice_id);
  const changes = await changesOf(tx, tenantId, ids);
  const credited = await takenBackOf(tx, tenantId, ids);
  const drafts = rows.filter((row) => row.state === "DRAFT");
  const { settlements } = await linesOfDrafts(tx, tenantId, drafts);
  const settlementOf = new Map(drafts.map((draft, i) => [draft.id, settlements[i]]));
  const details = await detailsOfDrafts(tx, tenantId, drafts);
  const detailsOf = new Map(drafts.map((draft, i) => [draft.id, details[i]]));
  return inPieces(rows, async (row) => {
    const lines = await inPieces(storedOf.get(row.id) ?? [], toInvoiceLine);
    const settled = settlementOf.get(row.id) ?? { lines, taxes: taxesFromJson(row.taxes) };
    const its = detailsOf.get(row.id) ?? storedDetails(row as DetailsColumns & typeof row); // what is no draft has a document
    const since = { changes: changes.get(row.id) ?? [], creditedMinor: credited.get(row.id) ?? 0n };
    return toInvoice(row, settled, its, { ...row, ...since });
  });
}
