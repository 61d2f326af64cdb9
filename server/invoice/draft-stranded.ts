import type { Tx } from "../db/database.ts";
import { holdDue } from "../tenant/due.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { adjustmentDraft } from "./draft.ts";
import { insertDrafts } from "./insert-drafts.ts";
import { strandedInvoices } from "./rerated-invoice.ts";

/**
 * Makes a draft for invoices that are priced again and whose subscription (one of these, or any) is over, with no draft to
 * carry that. Answers how many. The caller has the right to close periods; and no draft becomes final meanwhile, so that none is taken for a
 * carrier which it is no more.
 */
export async function draftStranded(
  tx: Tx,
  tenantId: string,
  now: Date,
  subscriptionIds?: readonly string[],
): Promise<number> {
  await holdDue(tx, tenantId, "FINALIZE_INVOICES");
  const stranded = await strandedInvoices(tx, tenantId, subscriptionIds);
  const graceMs = await gracePeriodMs(tx, tenantId);
  const drafts = stranded.map((invoice) => adjustmentDraft(invoice, now, graceMs));
  await insertDrafts(tx, tenantId, drafts, now);
  return drafts.length;
}
