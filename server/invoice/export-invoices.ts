import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import {
  type Invoice,
  type InvoiceLine,
  InvoiceLineKind,
  InvoiceLineSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import {
  type ExportInvoicesRequest,
  type ExportInvoicesResponse,
  ExportInvoicesResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { exportRows } from "../rpc/export-rows.ts";
import { type ListSpan, listSpan } from "../rpc/list-span.ts";
import { type DetailsColumns, storedDetails } from "./billing-details.ts";
import { takenBackOf } from "./credit-note.ts";
import { type FoundInvoice, selectInvoices, toInvoice } from "./invoice.ts";
import { changesOf } from "./invoice-change.ts";
import { taxesFromJson } from "./invoice-tax.ts";

interface ExportedInvoice {
  place: string;
  invoice: Invoice;
}

/** Streams the final invoices of the tenant. */
export function exportInvoices(
  app: App,
  caller: Caller,
  request: ExportInvoicesRequest,
  ended: AbortSignal,
): AsyncIterable<ExportInvoicesResponse> {
  const span = listSpan(request);
  const rows = {
    list: "invoice",
    read: (tx: Tx, after: string | undefined, limit: number) => readInvoices(tx, caller.tenantId, span, after, limit),
    placeOf: ({ place }: ExportedInvoice) => place,
    toAnswer: (invoices: readonly ExportedInvoice[], resumeToken: string) =>
      create(ExportInvoicesResponseSchema, { invoices: invoices.map(({ invoice }) => invoice), resumeToken }),
  };
  return exportRows(app, caller, request, rows, ended);
}

async function readInvoices(
  tx: Tx,
  tenantId: string,
  { start, end }: ListSpan,
  after: string | undefined,
  limit: number,
): Promise<ExportedInvoice[]> {
  const [time, sequence] = after?.split(" ") ?? [];
  const rows = await selectInvoices(tx, tenantId)
    .select("sequence")
    .where("finalized_at", "is not", null)
    .$if(start !== undefined, (query) => query.where("finalized_at", ">=", start as Date))
    .$if(end !== undefined, (query) => query.where("finalized_at", "<", end as Date))
    .$if(time !== undefined, (query) =>
      query.where(sql<boolean>`(finalized_at, sequence) > (${time}::timestamptz, ${sequence}::bigint)`),
    )
    .orderBy("finalized_at")
    .orderBy("sequence")
    .limit(limit)
    .execute();
  const ids = rows.map((row) => row.id);
  const sums = await sumsOfLines(tx, tenantId, ids);
  const changes = await changesOf(tx, tenantId, ids);
  const credited = await takenBackOf(tx, tenantId, ids);
  return rows.map((row) => {
    const settled = { lines: sums.get(row.id) ?? [], taxes: taxesFromJson(row.taxes) };
    const its = storedDetails(row as DetailsColumns & FoundInvoice); // what is final has a document
    const since = { changes: changes.get(row.id) ?? [], creditedMinor: credited.get(row.id) ?? 0n };
    const invoice = { ...toInvoice(row, settled, its, { ...row, ...since }), lines: [] };
    return { place: `${row.finalized_at?.toISOString()} ${row.sequence}`, invoice };
  });
}

/** One line for each kind, with the sum of all: what totals are made of. An invoice may have more lines than fit a page. */
async function sumsOfLines(tx: Tx, tenantId: string, ids: readonly string[]): Promise<Map<string, InvoiceLine[]>> {
  const { rows } = await sql<{ invoice_id: string; kind: keyof typeof InvoiceLineKind; sum: string }>`
    select invoice_id, kind, sum(amount_minor)::text as sum from invoice_line
    where tenant_id = ${tenantId} and invoice_id = any(${ids}) group by invoice_id, kind`.execute(tx);
  const byInvoice = Map.groupBy(rows, (row) => row.invoice_id);
  return new Map(
    [...byInvoice].map(([id, kinds]) => [
      id,
      kinds.map(({ kind, sum }) =>
        create(InvoiceLineSchema, { kind: InvoiceLineKind[kind], amountMinor: BigInt(sum) }),
      ),
    ]),
  );
}
