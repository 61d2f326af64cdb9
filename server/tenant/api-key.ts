import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import { ApiKeySchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type ListApiKeysRequest, ListApiKeysResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { ApiKey as ApiKeyRow } from "../db/tables.ts";
import { formatId, parseId, toBase62 } from "../id.ts";
import { openPage } from "../rpc/page.ts";

// An API key is `uf_live_` or `uf_test_`, then base62: the tenant's id (22 digits), 256 random bits (43) and the CRC-32
// of all before it (6). So a mistyped key is refused without a query, and a good one says where to look it up.

const TENANT_DIGITS = 22;
const SECRET_DIGITS = 43;
const CHECKSUM_DIGITS = 6;
const SHOWN_AT_START = 12;
const SHOWN_AT_END = 4;

export type TenantKindName = "LIVE" | "TEST";

/** Makes the key itself: the secret that is shown once. */
export function makeSecret(kind: TenantKindName, tenantId: string): string {
  const tenant = toBase62(Buffer.from(tenantId.replaceAll("-", ""), "hex"), TENANT_DIGITS);
  const body = `uf_${kind.toLowerCase()}_${tenant}${toBase62(randomBytes(32), SECRET_DIGITS)}`;
  return body + checksum(body);
}

/** The tenant that a key names, or undefined when its form or checksum is wrong. */
export function readSecret(secret: string): { kind: TenantKindName; tenantId: string } | undefined {
  const match = /^uf_(live|test)_([0-9A-Za-z]{71})$/.exec(secret);
  if (!match) return undefined;
  const body = secret.slice(0, -CHECKSUM_DIGITS);
  if (checksum(body) !== secret.slice(-CHECKSUM_DIGITS)) return undefined;
  const tenantId = parseId("ten", `ten_${(match[2] as string).slice(0, TENANT_DIGITS)}`);
  return tenantId ? { kind: match[1] === "live" ? "LIVE" : "TEST", tenantId } : undefined;
}

/** The row of a new key. */
export function newApiKeyRow(app: Pick<App, "secrets" | "clock">, key: NewApiKey): Selectable<ApiKeyRow> {
  return {
    tenant_id: key.tenantId,
    id: key.id,
    name: key.name,
    role: roleName(key.role),
    // The start says what kind it is, the end which one: the tenant's id between them is the same for all of its keys.
    prefix: `${key.secret.slice(0, SHOWN_AT_START)}...${key.secret.slice(-SHOWN_AT_END)}`,
    hash: app.secrets.hashKey(key.secret),
    created_at: app.clock.now(),
    revoked_at: null,
  };
}

export interface NewApiKey {
  tenantId: string;
  id: string;
  name: string;
  role: Role;
  secret: string;
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
  });
}

/** The contract's role of a row's. */
export function roleOf(name: string): Role {
  return Role[name as keyof typeof Role] ?? Role.UNSPECIFIED;
}

function roleName(role: Role): string {
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

function checksum(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return toBase62(bytes, CHECKSUM_DIGITS);
}
