import type { Tx } from "../db/database.ts";

/** How long after a period's end usage on its way still counts for it. */
export async function gracePeriodMs(tx: Tx, tenantId: string): Promise<number> {
  const row = await tx
    .selectFrom("tenant")
    .select("grace_period_s")
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return row.grace_period_s * 1_000;
}
