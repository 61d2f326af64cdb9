import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant } from "../db/database.ts";
import { tenantsInTurn } from "../tenants-in-turn.ts";
import type { ErasurePart } from "./customer-erasure.ts";

/**
 * One round over the tenants with customers whose data is being erased: a step each, through the parts in their order.
 * Answers how many steps were taken. A step that was not committed is taken again, and finds what is left.
 */
export function eraseCopies(app: App, parts: readonly ErasurePart[], stop?: AbortSignal): Promise<number> {
  return tenantsInTurn(app, "customer_erasure", (tenantId) => step(app, tenantId, parts), stop);
}

function step(app: App, tenantId: string, parts: readonly ErasurePart[]): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const now = app.clock.now();
    const row = await tx
      .selectFrom("customer_erasure")
      .select(["customer_id", "part", "after"])
      .where("tenant_id", "=", tenantId)
      .where("due_at", "<=", now)
      .orderBy(sql`random()`) // one that fails again and again holds up no other
      .limit(1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (!row) return 0;
    const at = parts.findIndex(({ place }) => place === row.part);
    const [part, next] = parts.slice(at, at + 2);
    if (!part) throw new Error(`nobody erases in ${row.part}`);
    const after = await part.step(app, tx, { tenantId, customerId: row.customer_id }, row.after);
    const ofIt = tx.updateTable("customer_erasure").where("tenant_id", "=", tenantId);
    if (after !== undefined) {
      await ofIt.set({ after }).where("customer_id", "=", row.customer_id).execute();
    } else if (next) {
      const due_at = plusMs(now, next.waitMs?.(app) ?? 0);
      await ofIt.set({ part: next.place, after: "", due_at }).where("customer_id", "=", row.customer_id).execute();
    } else {
      await tx
        .deleteFrom("customer_erasure")
        .where("tenant_id", "=", tenantId)
        .where("customer_id", "=", row.customer_id)
        .execute();
      await tx
        .updateTable("customer")
        .set({ erasing: false })
        .where("tenant_id", "=", tenantId)
        .where("id", "=", row.customer_id)
        .execute();
    }
    return 1;
  });
}
