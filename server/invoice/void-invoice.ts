import { create } from "@bufbuild/protobuf";
import { type VoidInvoiceRequest, VoidInvoiceResponseSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { askRerating, holdReratings } from "./ask-rerating.ts";
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
    await holdReratings(tx, tenantId, at); // before the invoice and its credits, as who finalizes
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
  await askRerating(tx, tenantId, adjusted, now);
  await tx
    .deleteFrom("invoice_rerating")
    .where("tenant_id", "=", tenantId)
    .where("invoice_id", "=", invoiceId)
    .execute();
}
