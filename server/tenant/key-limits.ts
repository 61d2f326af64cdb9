import type { Selectable } from "kysely";
import type { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { isCidr, isWithin } from "../cidr.ts";
import { enterTenant, type Tx } from "../db/database.ts";
import type { ApiKey as ApiKeyRow } from "../db/tables.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { forbidden, invalid } from "../rpc/errors.ts";
import { allows } from "../rpc/permission.ts";
import { roleOf } from "./api-key.ts";
import { holdApiKey, holdToken } from "./hold-caller.ts";

/** Refuses ranges that the contract's pattern lets through though they are none. */
export function checkCidrs(cidrs: readonly string[]): void {
  for (const [place, cidr] of cidrs.entries()) {
    if (isCidr(cidr)) continue;
    throw invalid(`allowed_cidrs[${place}]`, `"${cidr}" is no range such as 203.0.113.0/24 or 2001:db8::/32`);
  }
}

/** Who makes a key: as which role, and the limits of the key that they came with. */
export interface KeyMaker {
  role: Role;
  /** Null: never. */
  expiresAt: Date | null;
  /** Empty: from everywhere. */
  allowedCidrs: readonly string[];
}

/** Who makes a key, as they are now, and stay until the transaction ends. Refuses who may make none any more. */
export async function holdMaker(tx: Tx, caller: Caller): Promise<KeyMaker> {
  const maker = await (caller.credential ? holdMember(tx, caller) : holdOwnKey(tx, caller));
  if (!allows(maker.role, "key:write")) throw forbidden("your role lacks the permission key:write");
  return maker;
}

async function holdOwnKey(tx: Tx, caller: Caller): Promise<KeyMaker> {
  const { role, expires_at, allowed_cidrs } = await holdApiKey(tx, caller);
  return { role: roleOf(role), expiresAt: expires_at, allowedCidrs: allowed_cidrs };
}

/**
 * A member is the organization's: looked up there. Their token sets a key no end: keys are the tenant's, work in its
 * applications, and stay when people go. What such a key may do, the member's role bounds.
 */
async function holdMember(tx: Tx, caller: Caller): Promise<KeyMaker> {
  const { organizationId } = tokenOf(caller);
  await enterTenant(tx, organizationId);
  await holdToken(tx, caller);
  const member = await tx
    .selectFrom("member")
    .select("role")
    .where("organization_id", "=", organizationId)
    .where("id", "=", caller.keyId)
    .forShare()
    .executeTakeFirst();
  await enterTenant(tx, caller.tenantId);
  return { role: roleOf(member?.role ?? ""), expiresAt: null, allowedCidrs: [] };
}

/** Refuses a key that would outlive its maker's own, or be good in more places: nobody raises themselves. */
export function checkWithinOwn(
  { expiresAt, allowedCidrs }: KeyMaker,
  key: Pick<Selectable<ApiKeyRow>, "expires_at" | "allowed_cidrs">,
): void {
  if (expiresAt && !(key.expires_at && key.expires_at <= expiresAt)) {
    throw forbidden(`your key expires at ${expiresAt.toISOString()}, and may not make one that lives longer`);
  }
  if (allowedCidrs.length === 0) return;
  if (key.allowed_cidrs.length === 0 || !key.allowed_cidrs.every((cidr) => isWithin(cidr, allowedCidrs))) {
    throw forbidden(`your key is good in ${allowedCidrs.join(", ")} only, and may not make one for other places`);
  }
}
