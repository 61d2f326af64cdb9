import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type VoidInvoiceRequest, VoidInvoiceResponseSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { stateConflict } from "../rpc/errors.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { askRerating, holdReratings } from "./ask-rerating.ts";
import { joinFinal } from "./final-invoice.ts";
import { getInvoiceRow } from "./invoice.ts";
import { storedLines } from "./invoice-line.ts";
import { moveInvoice } from "./move-invoice.ts";
import { undoCredits } from "./undo-credits.ts";

/**
 * Voids an invoice: its credits are as if it had never been. Its own period is not billed anew; what it billed for earlier
 * ones waits for the next invoice.
 */
export function voidInvoice(app: App, caller: Caller, { id, reason }: VoidInvoiceRequest) {
  const { tenantId } = caller;
  return change(app, caller, VoidInvoiceResponseSchema, async (tx) => {
    const at = await tenantNow(tx, tenantId, app.clock);
    // First, as all who take several locks; and no draft becomes final meanwhile that prices this invoice again.
    await holdReratings(tx, tenantId, at);
    const row = await getInvoiceRow(tx, tenantId, id);
    const invoice = await moveInvoice(tx, caller, id, { to: "VOID", at, note: reason });
    await undoCredits(tx, tenantId, row.id, at);
    if (row.state !== "VOID") await moveReratings(tx, tenantId, row.id, at);
    return create(VoidInvoiceResponseSchema, { invoice });
  });
}

/** The invoice is priced again no more, and those that it priced again are, by another. */
async function moveReratings(tx: Tx, tenantId: string, invoiceId: string, now: Date): Promise<void> {
  const lines = await storedLines(tx, tenantId, [invoiceId]);
  const adjusted = lines.flatMap((line) => line.adjusted_invoice_id ?? []);
  await checkNothingGivenBack(tx, tenantId, [invoiceId, ...adjusted]);
  await askRerating(tx, tenantId, adjusted, now);
  await tx
    .deleteFrom("invoice_rerating")
    .where("tenant_id", "=", tenantId)
    .where("invoice_id", "=", invoiceId)
    .execute();
}

/** Refuses where invoices that stand gave back more of a void one than they billed: that would be given for nothing. */
async function checkNothingGivenBack(tx: Tx, tenantId: string, invoiceIds: readonly string[]): Promise<void> {
  const { rows } = await sql<{ number: string; by: string }>`
    select document.number, string_agg(carrier_document.number, ', ' order by carrier_document.sequence) as by
    from unnest(${invoiceIds}::uuid[]) as adjusted (id) ${joinFinal(tenantId, sql`adjusted.id`)}
    join invoice_line line on line.tenant_id = ${tenantId} and line.adjusted_invoice_id = adjusted.id
    join invoice carrier on carrier.tenant_id = ${tenantId} and carrier.id = line.invoice_id and carrier.state <> 'VOID'
    join invoice_document carrier_document
      on carrier_document.tenant_id = ${tenantId} and carrier_document.invoice_id = carrier.id
    where invoice.state = 'VOID'
    group by document.number having sum(line.amount_minor) < 0
    order by document.number`.execute(tx);
  const [row] = rows;
  if (!row) return;
  throw stateConflict(
    `${row.by} took back a part of ${row.number}: void that first, or make a credit note of the rest`,
  );
}
