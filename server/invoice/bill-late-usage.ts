import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { traceTx } from "../observe/tx-trace.ts";
import { holdDue, settleDue, takeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { takeNews } from "../usage/usage-watch.ts";
import { askRerating } from "./ask-rerating.ts";
import { draftStranded } from "./draft-stranded.ts";
import { lateInvoices } from "./late-invoice.ts";

// Customers of one transaction: enough to share its cost, few enough to keep it short.
const BATCH_MAX = 500;

/**
 * Sees to it that usage which changed after its invoice was final is billed: such invoices are priced again on the next
 * one of their subscription. Where the subscription is over, and none is coming, makes a draft for that. Answers how much
 * was looked at.
 */
export function billLateUsage(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    traceTx(tx, app.observer);
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await takeDue(tx, tenantId, "BILL_LATE_USAGE", now))) return 0;
    // No period is closed meanwhile, and no draft made final, so that no invoice is overlooked between the two.
    await holdDue(tx, tenantId, "CLOSE_PERIODS");
    await holdDue(tx, tenantId, "FINALIZE_INVOICES");
    const news = await takeNews(tx, tenantId, "LATE_USAGE", BATCH_MAX);
    await askRerating(tx, tenantId, await lateInvoices(tx, tenantId, news), now);
    const drafts = await draftStranded(tx, tenantId, now);
    await settleDue(tx, tenantId, "BILL_LATE_USAGE", news.length === BATCH_MAX ? now : null);
    return news.length + drafts;
  });
}
