import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import { type InvoiceChange, InvoiceChangeSchema, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Tx } from "../db/database.ts";
import type { InvoiceChange as InvoiceChangeTable } from "../db/tables.ts";
import { formatActor } from "../id.ts";

/** One step in an invoice's life: a row of `invoice_change`, without its keys. */
export type InvoiceChangeRow = Omit<Selectable<InvoiceChangeTable>, "tenant_id" | "invoice_id">;

/** The step as callers see it. */
export function toInvoiceChange(row: InvoiceChangeRow): InvoiceChange {
  return create(InvoiceChangeSchema, {
    from: stateOf(row.from_state),
    to: stateOf(row.to_state),
    at: timestampFromDate(row.changed_at),
    keyId: row.key_id ? formatActor(row.key_id) : "",
    note: row.note,
    ...(row.paid_at ? { paidAt: timestampFromDate(row.paid_at) } : {}),
  });
}

/** A state as a column says it. */
export function stateOf(column: string): InvoiceState {
  return InvoiceState[column as keyof typeof InvoiceState];
}

/** The steps of invoices by their ids, first one first. */
export async function changesOf(
  tx: Tx,
  tenantId: string,
  invoiceIds: readonly string[],
): Promise<Map<string, InvoiceChange[]>> {
  const rows = await tx
    .selectFrom("invoice_change")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`invoice_id = any(${invoiceIds})`)
    .orderBy("from_state") // the states' names sort in the order of an invoice's life
    .execute();
  const grouped = Map.groupBy(rows, (row) => row.invoice_id);
  return new Map([...grouped].map(([id, steps]) => [id, steps.map(toInvoiceChange)]));
}

/**
 * Moves those of the invoices that are in `change.from_state` to `change.to_state`, and answers which. Of two that try at
 * the same time one moves them. The database knows the allowed steps, and refuses others.
 */
export async function changeState(
  tx: Tx,
  tenantId: string,
  invoiceIds: readonly string[],
  change: InvoiceChangeRow,
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select change_invoice_state(
      ${tenantId}, ${invoiceIds}, ${change.from_state}, ${change.to_state}, ${change.changed_at}, ${change.key_id},
      ${change.note}, ${change.paid_at}
    ) as id`.execute(tx);
  return rows.map((row) => row.id);
}
