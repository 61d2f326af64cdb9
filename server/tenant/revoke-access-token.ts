import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { AccessTokenSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import {
  type RevokeAccessTokenRequest,
  RevokeAccessTokenResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { NIL_ID, parseId } from "../id.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { notFound } from "../rpc/errors.ts";
import { allows } from "../rpc/permission.ts";
import { type AccessTokenRow, toAccessToken } from "./access-token.ts";
import { roleOf } from "./api-key.ts";
import { checkCovers, findMember, lockAsManager } from "./member.ts";

/** Revokes an access token: one's own, or that of a member whom the caller may change. The time of the first one stands. */
export function revokeAccessToken(app: App, caller: Caller, { id }: RevokeAccessTokenRequest) {
  const { organizationId } = tokenOf(caller);
  return change(app, caller, RevokeAccessTokenResponseSchema, async (tx) => {
    const before = await findToken(tx, organizationId, id);
    const isOwn = before?.member_id === caller.keyId;
    // Another's is not there for who may not see it.
    if (!before || !(isOwn || allows(caller.role, "member:write"))) throw notFound("access token", id);
    if (!isOwn) {
      const ownRole = await lockAsManager(tx, caller);
      const whose = await findMember(tx, organizationId, before.member_id);
      if (whose) checkCovers(ownRole, roleOf(whose.role));
    }
    noteBefore(tx, AccessTokenSchema, toAccessToken(before));
    const own = tx.updateTable("access_token").where("organization_id", "=", organizationId);
    const row = await own
      .set({ revoked_at: sql<Date>`coalesce(revoked_at, ${app.clock.now()})` })
      .where("id", "=", before.id)
      .returningAll()
      .executeTakeFirst();
    if (!row) throw notFound("access token", id); // its member was removed meanwhile
    return create(RevokeAccessTokenResponseSchema, { accessToken: toAccessToken(row) });
  });
}

function findToken(tx: Tx, organizationId: string, id: string): Promise<AccessTokenRow | undefined> {
  const own = tx.selectFrom("access_token").selectAll().where("organization_id", "=", organizationId);
  return own.where("id", "=", parseId("tok", id) ?? NIL_ID).executeTakeFirst();
}
