import { sql } from "kysely";
import type { Tx } from "../db/database.ts";

/** Kinds of work that fall due in a tenant's time. */
export type Work =
  | "SUBSCRIBE_ARRIVALS"
  | "CLOSE_PERIODS"
  | "FINALIZE_INVOICES"
  | "BILL_LATE_USAGE"
  | "CHECK_THRESHOLDS"
  | "EXPIRE_CREDITS";

// Who takes several locks takes them in this order, so that nobody waits in a circle: usage_progress, then the rows of
// SUBSCRIBE_ARRIVALS, BILL_LATE_USAGE, CLOSE_PERIODS and FINALIZE_INVOICES, then all else, then CHECK_THRESHOLDS, and the end
// of the audit log's chain last (audit-chain.ts).

/** Makes `work` fall due at `at`, or leaves it where it is when that is earlier. Null: nothing to do. */
export async function makeDue(tx: Tx, tenantId: string, work: Work, at: Date | null): Promise<void> {
  if (!at) return;
  await tx
    .insertInto("tenant_due")
    .values({ tenant_id: tenantId, work, due_at: at })
    .onConflict((conflict) =>
      conflict.constraint("tenant_due_pkey").doUpdateSet({ due_at: sql`least(tenant_due.due_at, excluded.due_at)` }),
    )
    .execute();
}

/** Whether `work` is due at `now`: a look, and no right. */
export async function isDue(tx: Tx, tenantId: string, work: Work, now: Date): Promise<boolean> {
  const row = await dueOf(tx, tenantId, work).where("due_at", "<=", now).executeTakeFirst();
  return row !== undefined;
}

/**
 * Takes the right to do `work` for this tenant until the transaction ends, or answers false: it is not due at `now`, or
 * another worker is at it. Who adds work meanwhile waits for the end, so `settleDue` overlooks nothing.
 */
export async function takeDue(tx: Tx, tenantId: string, work: Work, now: Date): Promise<boolean> {
  const row = await dueOf(tx, tenantId, work).where("due_at", "<=", now).forUpdate().skipLocked().executeTakeFirst();
  return row !== undefined;
}

/** Takes the right to do `work` for this tenant, due or not; waits while another has it. */
export async function holdDue(tx: Tx, tenantId: string, work: Work): Promise<void> {
  await dueOf(tx, tenantId, work).forUpdate().execute();
}

/** Says when `work`, which `takeDue` took, falls due next. Null: nothing is left to do. */
export async function settleDue(tx: Tx, tenantId: string, work: Work, next: Date | null): Promise<void> {
  if (next) {
    await tx
      .updateTable("tenant_due")
      .set({ due_at: next })
      .where("tenant_id", "=", tenantId)
      .where("work", "=", work)
      .execute();
    return;
  }
  await tx.deleteFrom("tenant_due").where("tenant_id", "=", tenantId).where("work", "=", work).execute();
}

function dueOf(tx: Tx, tenantId: string, work: Work) {
  return tx.selectFrom("tenant_due").select("due_at").where("tenant_id", "=", tenantId).where("work", "=", work);
}
