import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import {
  type CreditNote,
  type CreditNoteLine,
  CreditNoteLineSchema,
  CreditNoteSchema,
  CreditNoteSettlement,
} from "../../gen/usageflow/v1/credit_note_pb.ts";
import {
  type ListCreditNotesRequest,
  ListCreditNotesResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { CreditNote as CreditNoteTable } from "../db/tables.ts";
import { formatActor, formatId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";

/** A row of `credit_note`. */
export type CreditNoteRow = Selectable<CreditNoteTable>;

/** What its invoice adds to it. */
export interface CreditedInvoice {
  invoice_number: string;
  currency: string;
}

/** The credit note as callers see it. */
export function toCreditNote(row: CreditNoteRow & CreditedInvoice): CreditNote {
  return create(CreditNoteSchema, {
    id: formatId("crn", row.id),
    number: row.number,
    invoiceId: formatId("inv", row.invoice_id),
    invoiceNumber: row.invoice_number,
    customerId: row.customer_id,
    currency: row.currency,
    amountMinor: row.amount_minor,
    taxMinor: row.tax_minor,
    dueReducedMinor: row.due_reduced_minor,
    creditedMinor: row.credited_minor,
    refundedMinor: row.refunded_minor,
    settlement: CreditNoteSettlement[row.settlement as keyof typeof CreditNoteSettlement],
    lines: linesOf(row),
    reason: row.reason,
    createdAt: timestampFromDate(row.created_at),
    keyId: formatActor(row.key_id),
  });
}

/** One credit note by id or number, or not-found. */
export async function getCreditNote(tx: Tx, tenantId: string, id: string): Promise<CreditNote> {
  const uuid = parseId("crn", id);
  const notes = selectCreditNotes(tx, tenantId);
  const found = uuid ? notes.where("credit_note.id", "=", uuid) : notes.where("credit_note.number", "=", id);
  const row = await found.executeTakeFirst();
  if (!row) throw notFound("credit note", id);
  return toCreditNote(row);
}

/** Credit notes of the tenant that the request's filters let through, oldest first. */
export function listCreditNotes(app: App, tenantId: string, request: ListCreditNotesRequest) {
  const page = openPage(app, { tenantId, list: "credit_note" }, request);
  const { invoiceId, customerId } = request;
  const uuid = parseId("inv", invoiceId);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await selectCreditNotes(tx, tenantId)
      .$if(customerId !== "", (query) => query.where("credit_note.customer_id", "=", customerId))
      .$if(invoiceId !== "", (query) =>
        uuid ? query.where("credit_note.invoice_id", "=", uuid) : query.where("document.number", "=", invoiceId),
      )
      .$if(page.after !== undefined, (query) => query.where("credit_note.id", ">", page.after as string))
      .orderBy("credit_note.id")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListCreditNotesResponseSchema, { creditNotes: rows.map(toCreditNote), nextPageToken });
  });
}

/** The lines that a note names. */
export function linesOf({ lines }: Pick<CreditNoteRow, "lines">): CreditNoteLine[] {
  return (lines as JsonValue[]).map((line) => fromJson(CreditNoteLineSchema, line));
}

/** The notes of invoices, those of each in the order in which they took from it. */
export function creditNotesOf(tx: Tx, tenantId: string, invoiceIds: readonly string[]): Promise<CreditNoteRow[]> {
  return tx
    .selectFrom("credit_note")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`invoice_id = any(${invoiceIds})`)
    .orderBy("invoice_id")
    .orderBy("before_minor")
    .execute();
}

/** What was taken back of invoices by their ids; those of which nothing was are left out. */
export async function takenBackOf(
  tx: Tx,
  tenantId: string,
  invoiceIds: readonly string[],
): Promise<Map<string, bigint>> {
  const rows = await tx
    .selectFrom("credit_note")
    .select(["invoice_id", sql<bigint>`sum(amount_minor)::bigint`.as("amount_minor")])
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`invoice_id = any(${invoiceIds})`)
    .groupBy("invoice_id")
    .execute();
  return new Map(rows.map((row) => [row.invoice_id, row.amount_minor]));
}

function selectCreditNotes(tx: Tx, tenantId: string) {
  return tx
    .selectFrom("credit_note")
    .innerJoin("invoice_document as document", (join) =>
      join
        .onRef("document.tenant_id", "=", "credit_note.tenant_id")
        .onRef("document.invoice_id", "=", "credit_note.invoice_id"),
    )
    .innerJoin("invoice", (join) =>
      join.onRef("invoice.tenant_id", "=", "credit_note.tenant_id").onRef("invoice.id", "=", "credit_note.invoice_id"),
    )
    .selectAll("credit_note")
    .select(["document.number as invoice_number", "invoice.currency"])
    .where("credit_note.tenant_id", "=", tenantId);
}
