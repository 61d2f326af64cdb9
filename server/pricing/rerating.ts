import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { holdDue, makeDue } from "../tenant/due.ts";

/**
 * Has the periods of final invoices priced again: the difference to what was billed for them is a line of their
 * subscription's next invoice, or of one of its own where none is coming. Waits for finalizations under way, which would
 * else take away what they had not seen. Once for an invoice, however often it is asked for.
 */
export async function askRerating(tx: Tx, tenantId: string, invoiceIds: readonly string[], now: Date): Promise<void> {
  if (invoiceIds.length === 0) return;
  await makeDue(tx, tenantId, "BILL_LATE_USAGE", now); // which finds out whether there is an invoice to carry the line
  await holdDue(tx, tenantId, "FINALIZE_INVOICES");
  await sql`
    insert into invoice_rerating (tenant_id, invoice_id)
    select ${tenantId}, id from unnest(${invoiceIds}::uuid[]) as rerated (id) order by id
    on conflict on constraint invoice_rerating_pkey do nothing`.execute(tx);
}
