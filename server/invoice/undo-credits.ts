import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { stateConflict } from "../rpc/errors.ts";
import { makeDue } from "../tenant/due.ts";
import type { CreditGrantRow } from "./credit.ts";
import { moveCredits, type NewEntry } from "./credit-entry.ts";

/** A credit that a voided invoice drew, or granted. */
interface Touched extends CreditGrantRow {
  /** What the invoice drew and did not return yet. */
  drawn_minor: bigint;
}

/**
 * Returns what an invoice drew, and takes back what it granted, because it is void. Done again it finds nothing to do. Refuses
 * when what it granted has paid for another invoice: that would be left without its payment.
 */
export async function undoCredits(tx: Tx, tenantId: string, invoiceId: string, now: Date): Promise<void> {
  const ids = await touchedBy(tx, tenantId, invoiceId);
  if (ids.length === 0) return;
  const touched = await lockTouched(tx, tenantId, invoiceId, ids);
  const granted = touched.filter((grant) => grant.source === "INVOICE" && grant.invoice_id === invoiceId);
  await checkUnspent(tx, tenantId, granted);
  const left = granted.filter((grant) => grant.remaining_minor > 0n);
  await tx
    .updateTable("credit_grant")
    .set({ revoked_at: now })
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`id = any(${left.map((grant) => grant.id)})`)
    .execute();
  const entries = [...touched.flatMap((grant) => returned(grant, invoiceId)), ...left.map((grant) => taken(grant))];
  await moveCredits(tx, tenantId, entries, now);
}

/**
 * The credits that an invoice moved. They may be about to hold something again, so that they can expire again: that is said
 * before they are locked, because who expires credits locks in that order.
 */
async function touchedBy(tx: Tx, tenantId: string, invoiceId: string): Promise<string[]> {
  const { rows } = await sql<{ id: string; expires_at: Date | null }>`
    select id, expires_at from credit_grant
    where tenant_id = ${tenantId} and id in (
      select grant_id from credit_entry where tenant_id = ${tenantId} and invoice_id = ${invoiceId}
    )`.execute(tx);
  const expiries = rows.flatMap((row) => row.expires_at?.getTime() ?? []);
  if (expiries.length > 0) await makeDue(tx, tenantId, "EXPIRE_CREDITS", new Date(Math.min(...expiries)));
  return rows.map((row) => row.id);
}

async function lockTouched(tx: Tx, tenantId: string, invoiceId: string, ids: readonly string[]): Promise<Touched[]> {
  await sql`
    select from credit_grant where tenant_id = ${tenantId} and id = any(${ids}) order by id for update`.execute(tx);
  const { rows } = await sql<Touched>`
    select credit_grant.*, (
      select coalesce(-sum(amount_minor), 0)::bigint from credit_entry
      where tenant_id = ${tenantId} and grant_id = credit_grant.id and invoice_id = ${invoiceId}
        and kind in ('DRAWN', 'RETURNED')
    ) as drawn_minor
    from credit_grant where tenant_id = ${tenantId} and id = any(${ids}) order by id`.execute(tx);
  return rows;
}

async function checkUnspent(tx: Tx, tenantId: string, granted: readonly Touched[]): Promise<void> {
  const { rows } = await sql<{ number: string }>`
    select number from credit_entry
    join invoice_document on invoice_document.tenant_id = credit_entry.tenant_id
      and invoice_document.invoice_id = credit_entry.invoice_id
    where credit_entry.tenant_id = ${tenantId} and grant_id = any(${granted.map((grant) => grant.id)})
      and kind in ('DRAWN', 'RETURNED')
    group by number having sum(amount_minor) <> 0 order by number`.execute(tx);
  if (rows.length === 0) return;
  const numbers = rows.map((row) => row.number).join(", ");
  throw stateConflict(`the credit that the invoice granted has paid for ${numbers}; void that first`);
}

/** What was drawn goes back; of a credit that was revoked since, it goes at once. */
function returned({ id, drawn_minor, revoked_at }: Touched, invoiceId: string): NewEntry[] {
  if (drawn_minor === 0n) return [];
  const entry: NewEntry = { grantId: id, kind: "RETURNED", amountMinor: drawn_minor, invoiceId };
  if (!revoked_at) return [entry];
  return [entry, { grantId: id, kind: "REVOKED", amountMinor: -drawn_minor, note: "revoked before it was returned" }];
}

function taken({ id, remaining_minor, invoice_id }: Touched): NewEntry {
  return { grantId: id, kind: "REVOKED", amountMinor: -remaining_minor, invoiceId: invoice_id, note: "invoice voided" };
}
