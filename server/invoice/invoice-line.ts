import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import {
  type InvoiceLine,
  InvoiceLineKind,
  InvoiceLineSchema,
  InvoiceLineStepSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Tx } from "../db/database.ts";
import type { InvoiceLine as InvoiceLineTable } from "../db/tables.ts";
import { formatId } from "../id.ts";

/** A row of `invoice_line`, with what is told of the invoice that it adjusts, if it does. */
export type InvoiceLineRow = Selectable<InvoiceLineTable> & {
  adjusted_number: string | null;
  adjusted_start: Date | null;
  adjusted_end: Date | null;
};

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
    discountId: row.discount_id ? formatId("dsc", row.discount_id) : "",
    dimensions: row.dimensions as Record<string, string>,
    adjustedInvoiceId: row.adjusted_invoice_id ? formatId("inv", row.adjusted_invoice_id) : "",
    adjustedInvoiceNumber: row.adjusted_number ?? "",
    ...(row.adjusted_start ? { adjustedPeriodStart: timestampFromDate(row.adjusted_start) } : {}),
    ...(row.adjusted_end ? { adjustedPeriodEnd: timestampFromDate(row.adjusted_end) } : {}),
  });
}

/** The stored lines of invoices, in their order. */
export function storedLines(tx: Tx, tenantId: string, invoiceIds: readonly string[]): Promise<InvoiceLineRow[]> {
  return selectLines(tx, tenantId)
    .where(sql<boolean>`line.invoice_id = any(${invoiceIds})`)
    .orderBy("line.invoice_id")
    .orderBy("line.position")
    .execute();
}

/** The lines of other invoices that adjusted some, with the numbers of those that bear them, in the order of the numbers. */
export function linesAdjusting(
  tx: Tx,
  tenantId: string,
  invoiceIds: readonly string[],
  /** As an invoice saw it: what had come before it, also if it is void by now. Absent: all but what is void. */
  frozen?: { before: bigint; counted: readonly string[] },
): Promise<(InvoiceLineRow & { number: string })[]> {
  return selectLines(tx, tenantId)
    .innerJoin("invoice as carrier", (join) =>
      join.onRef("carrier.tenant_id", "=", "line.tenant_id").onRef("carrier.id", "=", "line.invoice_id"),
    )
    .innerJoin("invoice_document as document", (join) =>
      join.onRef("document.tenant_id", "=", "line.tenant_id").onRef("document.invoice_id", "=", "line.invoice_id"),
    )
    .select("document.number as number")
    .where(sql<boolean>`line.adjusted_invoice_id = any(${invoiceIds})`)
    .where(sql<boolean>`(carrier.state <> 'VOID' or document.number = any(${frozen?.counted ?? []}))`)
    .$if(frozen !== undefined, (query) => query.where("document.sequence", "<", frozen?.before as bigint))
    .orderBy("document.sequence")
    .execute();
}

function selectLines(tx: Tx, tenantId: string) {
  return tx
    .selectFrom("invoice_line as line")
    .leftJoin("invoice as adjusted", (join) =>
      join.onRef("adjusted.tenant_id", "=", "line.tenant_id").onRef("adjusted.id", "=", "line.adjusted_invoice_id"),
    )
    .leftJoin("invoice_document as original", (join) =>
      join
        .onRef("original.tenant_id", "=", "line.tenant_id")
        .onRef("original.invoice_id", "=", "line.adjusted_invoice_id"),
    )
    .selectAll("line")
    .select([
      "original.number as adjusted_number",
      "adjusted.period_start as adjusted_start",
      "adjusted.period_end as adjusted_end",
    ])
    .where("line.tenant_id", "=", tenantId);
}
