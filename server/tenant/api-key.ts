import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import { ApiKeySchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type ListApiKeysRequest, ListApiKeysResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { ApiKey as ApiKeyRow } from "../db/tables.ts";
import { formatId } from "../id.ts";
import { openPage } from "../rpc/page.ts";
import { shownPart } from "./secret-text.ts";

/** The row of a new key. */
export function newApiKeyRow(app: Pick<App, "secrets" | "clock">, key: NewApiKey): Selectable<ApiKeyRow> {
  return {
    tenant_id: key.tenantId,
    id: key.id,
    name: key.name,
    role: roleName(key.role),
    prefix: shownPart(key.secret),
    hash: app.secrets.hashKey(key.secret),
    pepper_id: app.secrets.pepperIds[0] as Buffer,
    created_at: app.clock.now(),
    revoked_at: null,
    expires_at: key.expiresAt ?? null,
    allowed_cidrs: [...(key.allowedCidrs ?? [])],
    last_used_at: null,
    replaced_by: null,
  };
}

export interface NewApiKey {
  tenantId: string;
  id: string;
  name: string;
  role: Role;
  secret: string;
  /** Left out: never. */
  expiresAt?: Date | null;
  /** Left out: it may be used from everywhere. */
  allowedCidrs?: readonly string[];
}

/** The key as callers see it. */
export function toApiKey(row: Selectable<ApiKeyRow>) {
  return create(ApiKeySchema, {
    id: formatId("key", row.id),
    name: row.name,
    role: roleOf(row.role),
    prefix: row.prefix,
    createdAt: timestampFromDate(row.created_at),
    ...(row.revoked_at ? { revokedAt: timestampFromDate(row.revoked_at) } : {}),
    ...(row.expires_at ? { expiresAt: timestampFromDate(row.expires_at) } : {}),
    allowedCidrs: row.allowed_cidrs,
    ...(row.last_used_at ? { lastUsedAt: timestampFromDate(row.last_used_at) } : {}),
    replacedBy: row.replaced_by ? formatId("key", row.replaced_by) : "",
  });
}

/** The contract's role of a row's. */
export function roleOf(name: string): Role {
  return Role[name as keyof typeof Role] ?? Role.UNSPECIFIED;
}

/** A role as a row has it. */
export function roleName(role: Role): string {
  return (RoleSchema.value[role]?.name ?? "").replace("ROLE_", "");
}

/** The key with this UUID. Keys are never deleted. */
export async function getApiKey(tx: Tx, tenantId: string, id: string) {
  const row = await tx
    .selectFrom("api_key")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  return toApiKey(row);
}

/** Keys of the tenant, newest first. */
export function listApiKeys(app: App, tenantId: string, request: ListApiKeysRequest) {
  const page = openPage(app, { tenantId, list: "api_key" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await tx
      .selectFrom("api_key")
      .selectAll()
      .where("tenant_id", "=", tenantId)
      .$if(page.after !== undefined, (query) => query.where("id", "<", page.after as string))
      .orderBy("id", "desc")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListApiKeysResponseSchema, { apiKeys: rows.map(toApiKey), nextPageToken });
  });
}
