import { sql } from "kysely";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { KeyHash } from "../secrets.ts";
import { roleOf } from "../tenant/api-key.ts";
import type { SecretKind } from "../tenant/secret-text.ts";
import type { Caller, MemberToken } from "./caller.ts";

/** What the database knows of a key, and whose it is. */
export interface KnownKey {
  caller: Caller;
  /** Null: it was not. */
  revokedAt: Date | null;
  /** Null: never. */
  expiresAt: Date | null;
  /** When its organization is deleted. Null: never. */
  deleteAfter: Date | null;
  /** Empty: from everywhere. */
  allowedCidrs: readonly string[];
  /** Where its last use is written. Undefined: that of a code is not. */
  use: { table: "api_key" | "access_token"; id: string; lastUsedAt: Date | null } | undefined;
}

/**
 * Asks the database, in the same way whether the place exists, the key is wrong or was revoked: one statement, over an index of
 * keyed hashes, whose time tells nothing of any key. `hashes` are those of the key.
 */
export function lookUp(
  app: App,
  { kind, place }: { kind: SecretKind; place: string },
  hashes: readonly KeyHash[],
): Promise<KnownKey | undefined> {
  const look = kind === "TOKEN" ? findToken : kind === "INVITE" ? findInvite : findApiKey;
  const any = hashes.map(({ hash }) => hash);
  return inTenant(app.db, place, (tx) => look(tx, place, any));
}

async function findApiKey(tx: Tx, tenantId: string, hashes: readonly Buffer[]): Promise<KnownKey | undefined> {
  const row = await tx
    .selectFrom("api_key")
    .innerJoin("tenant", "tenant.tenant_id", "api_key.tenant_id")
    .innerJoin("organization", "organization.id", "tenant.organization_id")
    .select(["api_key.id", "api_key.role", "api_key.revoked_at", "api_key.expires_at", "api_key.allowed_cidrs"])
    .select(["api_key.last_used_at", "tenant.kind", "organization.delete_after"])
    .where("api_key.tenant_id", "=", tenantId)
    .where("api_key.hash", "in", hashes)
    .executeTakeFirst();
  if (!row) return undefined;
  return {
    caller: { tenantId, kind: kindOf(row.kind), keyId: row.id, role: roleOf(row.role) },
    revokedAt: row.revoked_at,
    expiresAt: row.expires_at,
    deleteAfter: row.delete_after,
    allowedCidrs: row.allowed_cidrs,
    use: { table: "api_key", id: row.id, lastUsedAt: row.last_used_at },
  };
}

/** A token, with the role that its member has now and the tenants that it opens. */
async function findToken(tx: Tx, organizationId: string, hashes: readonly Buffer[]): Promise<KnownKey | undefined> {
  const row = await tx
    .selectFrom("access_token")
    .innerJoin("member", (join) =>
      join
        .onRef("member.organization_id", "=", "access_token.organization_id")
        .onRef("member.id", "=", "access_token.member_id"),
    )
    .innerJoin("organization", "organization.id", "access_token.organization_id")
    .select(["access_token.id", "access_token.revoked_at", "access_token.expires_at", "access_token.last_used_at"])
    .select(["member.id as member_id", "member.role", "organization.delete_after"])
    .select(
      sql<MemberToken["tenants"]>`(
        select coalesce(json_agg(json_build_object('id', tenant_id, 'kind', kind)), '[]') from tenant
        where organization_id = ${organizationId})`.as("tenants"),
    )
    .where("access_token.organization_id", "=", organizationId)
    .where("access_token.hash", "in", hashes)
    .executeTakeFirst();
  if (!row) return undefined;
  const credential = { kind: "ACCESS_TOKEN", id: row.id, organizationId, tenants: row.tenants } as const;
  return {
    caller: { tenantId: organizationId, kind: "LIVE", keyId: row.member_id, role: roleOf(row.role), credential },
    revokedAt: row.revoked_at,
    expiresAt: row.expires_at,
    deleteAfter: row.delete_after,
    allowedCidrs: [],
    use: { table: "access_token", id: row.id, lastUsedAt: row.last_used_at },
  };
}

/** An invite, used ones included: who did not hear the answer asks again. */
async function findInvite(tx: Tx, organizationId: string, hashes: readonly Buffer[]): Promise<KnownKey | undefined> {
  const row = await tx
    .selectFrom("member")
    .innerJoin("organization", "organization.id", "member.organization_id")
    .select(["member.id", "member.role", "member.invite_expires_at", "organization.delete_after"])
    .where("organization_id", "=", organizationId)
    .where("invite_hash", "in", hashes)
    .executeTakeFirst();
  if (!row) return undefined;
  const credential = { kind: "INVITE", organizationId } as const;
  return {
    caller: { tenantId: organizationId, kind: "LIVE", keyId: row.id, role: roleOf(row.role), credential },
    revokedAt: null,
    expiresAt: row.invite_expires_at,
    deleteAfter: row.delete_after,
    allowedCidrs: [],
    use: undefined,
  };
}

function kindOf(name: string): Caller["kind"] {
  return name === "LIVE" ? "LIVE" : "TEST";
}
