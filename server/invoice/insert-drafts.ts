import type { Tx } from "../db/database.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { makeDue } from "../tenant/due.ts";
import { type BillingDetails, detailsOfDrafts } from "./billing-details.ts";
import { linesOfDrafts } from "./draft-invoice-lines.ts";
import { type InvoiceRow, toInvoice } from "./invoice.ts";
import type { Settlement } from "./settlement.ts";

/** Stores new drafts, tells of them, and sees to it that they will be final. */
export async function insertDrafts(tx: Tx, tenantId: string, drafts: readonly InvoiceRow[], now: Date): Promise<void> {
  if (drafts.length === 0) return;
  await tx.insertInto("invoice").values(drafts).execute();
  const { settlements } = await linesOfDrafts(tx, tenantId, drafts);
  const details = await detailsOfDrafts(tx, tenantId, drafts);
  const events = drafts.map((draft, i) => ({
    type: "invoice.created" as const,
    occurredAt: now,
    facts: { invoice: toInvoice(draft, settlements[i] as Settlement, details[i] as BillingDetails) },
  }));
  await appendEvents(tx, tenantId, events);
  const finalizeAt = Math.min(...drafts.map((draft) => draft.finalize_at.getTime()));
  await makeDue(tx, tenantId, "FINALIZE_INVOICES", new Date(finalizeAt));
}
