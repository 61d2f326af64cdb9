import type { Selectable } from "kysely";
import { isCidr, isWithin } from "../cidr.ts";
import type { Tx } from "../db/database.ts";
import type { ApiKey as ApiKeyRow } from "../db/tables.ts";
import type { Caller } from "../rpc/caller.ts";
import { forbidden, invalid } from "../rpc/errors.ts";

/** Refuses ranges that the contract's pattern lets through though they are none. */
export function checkCidrs(cidrs: readonly string[]): void {
  for (const [place, cidr] of cidrs.entries()) {
    if (isCidr(cidr)) continue;
    throw invalid(`allowed_cidrs[${place}]`, `"${cidr}" is no range such as 203.0.113.0/24 or 2001:db8::/32`);
  }
}

/**
 * Refuses a key that would outlive the caller's own, or be good in more places: nobody raises themselves. A member's token sets no
 * end: keys are the tenant's, work in its applications, and stay when people go. What such a key may do, the member's role bounds.
 */
export async function checkWithinOwn(
  tx: Tx,
  caller: Caller,
  key: Pick<Selectable<ApiKeyRow>, "expires_at" | "allowed_cidrs">,
): Promise<void> {
  if (caller.credential) return;
  const own = await tx
    .selectFrom("api_key")
    .select(["expires_at", "allowed_cidrs"])
    .where("tenant_id", "=", caller.tenantId)
    .where("id", "=", caller.keyId)
    .executeTakeFirst();
  if (own?.expires_at && !(key.expires_at && key.expires_at <= own.expires_at)) {
    throw forbidden(`your key expires at ${own.expires_at.toISOString()}, and may not make one that lives longer`);
  }
  const places = own?.allowed_cidrs ?? [];
  if (places.length === 0) return;
  if (key.allowed_cidrs.length === 0 || !key.allowed_cidrs.every((cidr) => isWithin(cidr, places))) {
    throw forbidden(`your key is good in ${places.join(", ")} only, and may not make one for other places`);
  }
}
