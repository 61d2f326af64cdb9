import { isTimeZone } from "../calendar.ts";
import type { Tx } from "../db/database.ts";
import { invalid } from "../rpc/errors.ts";

/** The time zone that the tenant's subscriptions are to start in: an IANA name. */
export async function tenantTimeZone(tx: Tx, tenantId: string): Promise<string> {
  const row = await tx
    .selectFrom("tenant")
    .select("time_zone")
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return row.time_zone;
}

/** The name of a time zone, as it was given. Refused when there is none. */
export function knownTimeZone(field: string, name: string): string {
  if (isTimeZone(name)) return name;
  throw invalid(field, `must be the IANA name of a time zone, such as Europe/Berlin, and is "${name}"`);
}
