import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { settleDue, takeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import type { CreditGrantRow } from "./credit.ts";
import { moveCredits } from "./credit-entry.ts";

// Enough to share the cost of a transaction, few enough to keep it short.
const BATCH_MAX = 500;

/** Takes what is left of credits whose time has run out. Answers how many there were. */
export function expireCredits(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await takeDue(tx, tenantId, "EXPIRE_CREDITS", now))) return 0;
    const expired = await lockExpired(tx, tenantId, now);
    const entries = expired.map(({ id, remaining_minor }) => ({
      grantId: id,
      kind: "EXPIRED" as const,
      amountMinor: -remaining_minor,
    }));
    await moveCredits(tx, tenantId, entries, now);
    await settleDue(tx, tenantId, "EXPIRE_CREDITS", await nextExpiry(tx, tenantId));
    return expired.length;
  });
}

/** In the order of ids, as everyone who locks several grants: so nobody waits in a circle. */
function lockExpired(tx: Tx, tenantId: string, now: Date): Promise<CreditGrantRow[]> {
  return tx
    .selectFrom("credit_grant")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("remaining_minor", ">", 0n)
    .where("expires_at", "<=", now)
    .orderBy("id")
    .limit(BATCH_MAX)
    .forUpdate()
    .execute();
}

async function nextExpiry(tx: Tx, tenantId: string): Promise<Date | null> {
  const row = await tx
    .selectFrom("credit_grant")
    .select("expires_at")
    .where("tenant_id", "=", tenantId)
    .where("remaining_minor", ">", 0n)
    .where("expires_at", "is not", null)
    .orderBy("expires_at")
    .limit(1)
    .executeTakeFirst();
  return row?.expires_at ?? null;
}
