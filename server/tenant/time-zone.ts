import type { Tx } from "../db/database.ts";

/** The time zone that the tenant's subscriptions are to start in: an IANA name. */
export async function tenantTimeZone(tx: Tx, tenantId: string): Promise<string> {
  const row = await tx
    .selectFrom("tenant")
    .select("time_zone")
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return row.time_zone;
}
