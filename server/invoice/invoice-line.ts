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
import { joinFinal } from "./final-invoice.ts";

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
export async function storedLines(tx: Tx, tenantId: string, invoiceIds: readonly string[]): Promise<InvoiceLineRow[]> {
  const { rows } = await sql<InvoiceLineRow>`
    select line.*, ${adjustedFacts(tenantId)}
    from invoice_line line
    where line.tenant_id = ${tenantId} and line.invoice_id = any(${invoiceIds})
    order by line.invoice_id, line.position`.execute(tx);
  return rows;
}

/** The lines of other invoices that adjusted some, with the numbers of those that bear them, in the order of the numbers. */
export async function linesAdjusting(
  tx: Tx,
  tenantId: string,
  invoiceIds: readonly string[],
  /** As an invoice saw it: what had come before it, also if it is void by now. Absent: all but what is void. */
  frozen?: { before: bigint; counted: readonly string[] },
): Promise<(InvoiceLineRow & { number: string })[]> {
  const { rows } = await sql<InvoiceLineRow & { number: string }>`
    select line.*, ${adjustedFacts(tenantId)}, document.number
    from invoice_line line ${joinFinal(tenantId, sql`line.invoice_id`, "carrier")}
    where line.tenant_id = ${tenantId} and line.adjusted_invoice_id = any(${invoiceIds})
      and (carrier.state <> 'VOID' or document.number = any(${frozen?.counted ?? []}::text[]))
      ${frozen ? sql`and document.sequence < ${frozen.before}` : sql``}
    order by document.sequence`.execute(tx);
  return rows;
}

/** What is told of the invoice that a `line` adjusts, if it does: looked up line by line, as few do. */
export function adjustedFacts(tenantId: string) {
  const invoice = sql`from invoice where tenant_id = ${tenantId} and id = line.adjusted_invoice_id`;
  return sql`
    (select number from invoice_document where tenant_id = ${tenantId} and invoice_id = line.adjusted_invoice_id)
      as adjusted_number,
    (select period_start ${invoice}) as adjusted_start,
    (select period_end ${invoice}) as adjusted_end`;
}
