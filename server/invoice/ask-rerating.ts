import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { holdDue, makeDue } from "../tenant/due.ts";

/**
 * Has the periods of final invoices priced again: the difference to what was billed for them is a line of their
 * subscription's next invoice, or of one of its own where none is coming. Once for an invoice, however often it is asked
 * for.
 */
export async function askRerating(tx: Tx, tenantId: string, invoiceIds: readonly string[], now: Date): Promise<void> {
  if (invoiceIds.length === 0) return;
  await holdReratings(tx, tenantId, now);
  await sql`
    insert into invoice_rerating (tenant_id, invoice_id, subscription_id)
    select tenant_id, id, subscription_id from invoice
    where tenant_id = ${tenantId} and id = any(${invoiceIds}::uuid[]) order by id
    on conflict on constraint invoice_rerating_pkey do nothing`.execute(tx);
}

/**
 * Takes the right to say what waits to be priced again. Waits for finalizations under way, which would else take away what
 * they had not seen. Who locks invoices or credits too takes it before them: see `due.ts`.
 */
export async function holdReratings(tx: Tx, tenantId: string, now: Date): Promise<void> {
  await makeDue(tx, tenantId, "BILL_LATE_USAGE", now); // which finds out whether there is an invoice to carry the line
  await holdDue(tx, tenantId, "FINALIZE_INVOICES");
}
