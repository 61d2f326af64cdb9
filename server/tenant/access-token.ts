import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { AccessTokenSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import {
  type ListAccessTokensRequest,
  ListAccessTokensResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import type { AccessToken as AccessTokenTable } from "../db/tables.ts";
import { formatId, newId } from "../id.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { forbidden } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { allows } from "../rpc/permission.ts";
import { getMember } from "./member.ts";
import { shownPart } from "./secret-text.ts";

/** A row of `access_token`. */
export type AccessTokenRow = Selectable<AccessTokenTable>;

/** How long a token works where nobody says. */
export const TOKEN_MS = 90 * 24 * 60 * 60 * 1_000;

/** A token to make. */
export interface NewAccessToken {
  organizationId: string;
  /** UUID. */
  memberId: string;
  name: string;
  secret: string;
  expiresAt: Date;
}

/** The row of a new token. */
export function newAccessTokenRow(app: Pick<App, "secrets" | "clock">, token: NewAccessToken): AccessTokenRow {
  return {
    organization_id: token.organizationId,
    id: newId(),
    member_id: token.memberId,
    name: token.name,
    prefix: shownPart(token.secret),
    hash: app.secrets.hashKey(token.secret),
    pepper_id: app.secrets.pepperIds[0] as Buffer,
    created_at: app.clock.now(),
    expires_at: token.expiresAt,
    revoked_at: null,
    last_used_at: null,
  };
}

/** The token as callers see it. */
export function toAccessToken(row: AccessTokenRow) {
  return create(AccessTokenSchema, {
    id: formatId("tok", row.id),
    memberId: formatId("mem", row.member_id),
    name: row.name,
    prefix: row.prefix,
    createdAt: timestampFromDate(row.created_at),
    expiresAt: timestampFromDate(row.expires_at),
    ...(row.revoked_at ? { revokedAt: timestampFromDate(row.revoked_at) } : {}),
    ...(row.last_used_at ? { lastUsedAt: timestampFromDate(row.last_used_at) } : {}),
  });
}

/** Tokens of the caller, or of a member whom the caller may change, newest first. */
export function listAccessTokens(app: App, caller: Caller, request: ListAccessTokensRequest) {
  const { organizationId } = tokenOf(caller);
  const ownId = formatId("mem", caller.keyId);
  const memberId = request.memberId || ownId;
  if (memberId !== ownId && !allows(caller.role, "member:write")) {
    throw forbidden("your role may see your own access tokens only");
  }
  const page = openPage(app, { tenantId: organizationId, list: `access_token|${memberId}` }, request);
  return inTenant(app.db, organizationId, async (tx) => {
    const member = await getMember(tx, organizationId, memberId);
    const found = await tx
      .selectFrom("access_token")
      .selectAll()
      .where("organization_id", "=", organizationId)
      .where("member_id", "=", member.id)
      .$if(page.after !== undefined, (query) => query.where("id", "<", page.after as string))
      .orderBy("id", "desc")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListAccessTokensResponseSchema, { accessTokens: rows.map(toAccessToken), nextPageToken });
  });
}
