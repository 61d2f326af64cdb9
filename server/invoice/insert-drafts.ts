import type { Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { traceColumn } from "../observe/trace.ts";
import { beginIn, followsFrom, isTraced, traceOf } from "../observe/tx-trace.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { makeDue } from "../tenant/due.ts";
import { type BillingDetails, detailsOfDrafts } from "./billing-details.ts";
import { linesOfDrafts } from "./draft-invoice-lines.ts";
import { type InvoiceRow, toInvoice } from "./invoice.ts";
import type { Settlement } from "./settlement.ts";
import { usageTraces } from "./usage-trace.ts";

/** Stores new drafts, tells of them, and sees to it that they will be final. */
export async function insertDrafts(tx: Tx, tenantId: string, made: readonly InvoiceRow[], now: Date): Promise<void> {
  if (made.length === 0) return;
  const usage = isTraced(tx) ? await usageTraces(tx, tenantId, made) : [];
  const spans = made.map((_, i) => beginIn(tx, "invoice.draft", followsFrom(usage[i], traceOf(tx))));
  const drafts = made.map((draft, i) => ({ ...draft, trace: traceColumn(spans[i]?.trace) }));
  await tx.insertInto("invoice").values(drafts).execute();
  const { settlements } = await linesOfDrafts(tx, tenantId, drafts);
  const details = await detailsOfDrafts(tx, tenantId, drafts);
  const events = drafts.map((draft, i) => ({
    type: "invoice.created" as const,
    occurredAt: now,
    facts: { invoice: toInvoice(draft, settlements[i] as Settlement, details[i] as BillingDetails) },
    trace: spans[i]?.trace,
  }));
  await appendEvents(tx, tenantId, events);
  const finalizeAt = Math.min(...drafts.map((draft) => draft.finalize_at.getTime()));
  await makeDue(tx, tenantId, "FINALIZE_INVOICES", new Date(finalizeAt));
  for (const [i, { id }] of drafts.entries()) spans[i]?.end({ invoice_id: formatId("inv", id) });
}
