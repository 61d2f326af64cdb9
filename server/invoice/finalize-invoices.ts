import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { traceTx } from "../observe/tx-trace.ts";
import { plansOf } from "../pricing/plan.ts";
import { isDue, settleDue, takeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { lockProgress } from "../usage/usage-progress.ts";
import { finalizeDrafts } from "./finalize-drafts.ts";
import { firstOfPrices } from "./first-of-prices.ts";
import type { InvoiceRow } from "./invoice.ts";

// Enough to share the cost of a transaction, few enough to keep it short.
const BATCH_MAX = 500;

/** Finalizes drafts whose grace period is over, in the order in which they were due. Answers how many. */
export async function finalizeInvoices(app: App, tenantId: string): Promise<number> {
  const startedAt = performance.now();
  const finalized = await inTenant(app.workerDb, tenantId, async (tx) => {
    traceTx(tx, app.observer);
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await isDue(tx, tenantId, "FINALIZE_INVOICES", now))) return 0;
    await lockProgress(tx, tenantId);
    if (!(await takeDue(tx, tenantId, "FINALIZE_INVOICES", now))) return 0;
    const found = await dueDrafts(tx, tenantId, now);
    const drafts = firstOfPrices(found, await plansOf(tx, tenantId, found));
    if (drafts.length > 0) await finalizeDrafts(tx, tenantId, drafts, { now, keyId: null });
    await settleDue(tx, tenantId, "FINALIZE_INVOICES", await nextFinalizeAt(tx, tenantId));
    return drafts.length;
  });
  if (finalized > 0) {
    app.observer.count("usageflow_invoices_finalized_total", {}, finalized);
    const seconds = (performance.now() - startedAt) / 1_000;
    app.observer.record("usageflow_close_duration_seconds", { step: "finalize" }, seconds);
  }
  return finalized;
}

function dueDrafts(tx: Tx, tenantId: string, now: Date): Promise<InvoiceRow[]> {
  return tx
    .selectFrom("invoice")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("state", "=", "DRAFT")
    .where("finalize_at", "<=", now)
    .orderBy("finalize_at")
    .orderBy("id")
    .limit(BATCH_MAX)
    .execute();
}

async function nextFinalizeAt(tx: Tx, tenantId: string): Promise<Date | null> {
  const row = await tx
    .selectFrom("invoice")
    .select("finalize_at")
    .where("tenant_id", "=", tenantId)
    .where("state", "=", "DRAFT")
    .orderBy("finalize_at")
    .limit(1)
    .executeTakeFirst();
  return row?.finalize_at ?? null;
}
