import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import {
  ExportedInvoiceLineSchema,
  type ExportInvoiceLinesRequest,
  type ExportInvoiceLinesResponse,
  ExportInvoiceLinesResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { exportRows } from "../rpc/export-rows.ts";
import { type ListSpan, listSpan } from "../rpc/list-span.ts";
import { joinFinal } from "./final-invoice.ts";
import { adjustedFacts, type InvoiceLineRow, toInvoiceLine } from "./invoice-line.ts";

// Invoices whose lines are read at a time.
const INVOICES_MAX = 100;

/** A line, and what is told of its invoice. */
type ExportedLine = InvoiceLineRow & FinalInvoice;

interface FinalInvoice {
  sequence: bigint;
  number: string;
  customer_id: string;
  currency: string;
  finalized_at: Date;
}

/** Where an export is: after a line of an invoice, or after all of them. */
interface Place {
  finalizedAt: string;
  sequence: string;
  position?: number;
}

/** Streams the lines of the tenant's final invoices. */
export function exportInvoiceLines(
  app: App,
  caller: Caller,
  request: ExportInvoiceLinesRequest,
  ended: AbortSignal,
): AsyncIterable<ExportInvoiceLinesResponse> {
  const span = listSpan(request);
  const rows = {
    list: "invoice_line",
    read: (tx: Tx, after: string | undefined, limit: number) => readLines(tx, caller.tenantId, span, after, limit),
    placeOf: (row: ExportedLine) => `${row.finalized_at.toISOString()} ${row.sequence} ${row.position}`,
    toAnswer: (lines: readonly ExportedLine[], resumeToken: string) =>
      create(ExportInvoiceLinesResponseSchema, { invoiceLines: lines.map(toExported), resumeToken }),
  };
  return exportRows(app, caller, request, rows, ended);
}

function toExported(row: ExportedLine) {
  return create(ExportedInvoiceLineSchema, {
    invoiceId: formatId("inv", row.invoice_id),
    invoiceNumber: row.number,
    customerId: row.customer_id,
    currency: row.currency,
    finalizedAt: timestampFromDate(row.finalized_at),
    position: row.position + 1,
    line: toInvoiceLine(row),
  });
}

/** The next lines, of as many invoices as it takes: one may have thousands, and one may have none. */
async function readLines(
  tx: Tx,
  tenantId: string,
  span: ListSpan,
  after: string | undefined,
  limit: number,
): Promise<ExportedLine[]> {
  const [finalizedAt = "", sequence = "", position] = after?.split(" ") ?? [];
  let place: Place | undefined =
    after === undefined ? undefined : { finalizedAt, sequence, position: Number(position) };
  const lines: ExportedLine[] = [];
  while (lines.length < limit) {
    const invoices = await readDocuments(tx, tenantId, span, place);
    const [last] = invoices.slice(-1);
    if (!last) break;
    const rest = limit - lines.length;
    const ids = invoices.map(({ invoice_id }) => invoice_id);
    const { rows } = await sql<ExportedLine>`
      select line.*, ${adjustedFacts(tenantId)},
        document.sequence, document.number, document.finalized_at, invoice.customer_id, invoice.currency
      from unnest(${ids}::uuid[]) with ordinality as asked (id, place)
      ${joinFinal(tenantId, sql`asked.id`)}
      cross join lateral (
        select * from invoice_line where tenant_id = ${tenantId} and invoice_id = asked.id offset 0
      ) as line
      where document.sequence <> ${place?.sequence ?? "0"}::bigint or line.position > ${place?.position ?? 0}
      order by asked.place, line.position limit ${rest}`.execute(tx);
    lines.push(...rows);
    place = { finalizedAt: last.finalized_at.toISOString(), sequence: last.sequence.toString() };
  }
  return lines;
}

/** The next final invoices, with that of the place. */
async function readDocuments(tx: Tx, tenantId: string, { start, end }: ListSpan, place: Place | undefined) {
  const beyond = place?.position === undefined ? sql`>` : sql`>=`;
  return tx
    .selectFrom("invoice_document")
    .select(["invoice_id", "sequence", "finalized_at"])
    .where("tenant_id", "=", tenantId)
    .$if(start !== undefined, (query) => query.where("finalized_at", ">=", start as Date))
    .$if(end !== undefined, (query) => query.where("finalized_at", "<", end as Date))
    .$if(place !== undefined, (query) =>
      query.where(
        sql<boolean>`(finalized_at, sequence) ${beyond} (${place?.finalizedAt}::timestamptz, ${place?.sequence}::bigint)`,
      ),
    )
    .orderBy("finalized_at")
    .orderBy("sequence")
    .limit(INVOICES_MAX)
    .execute();
}
