import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { MemberSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import { type AcceptInviteRequest, AcceptInviteResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { forbidden, stateConflict, unauthenticated } from "../rpc/errors.ts";
import { allows, covers } from "../rpc/permission.ts";
import { newAccessTokenRow, TOKEN_MS, toAccessToken } from "./access-token.ts";
import { roleOf } from "./api-key.ts";
import { findMember, lockMembers, type MemberRow, toMember } from "./member.ts";
import { makeSecret } from "./secret-text.ts";

/** Makes a member of whoever came with the code of an invite, and gives them a token. */
export function acceptInvite(app: App, caller: Caller, request: AcceptInviteRequest) {
  const { tenantId: organizationId, keyId: memberId } = caller;
  return change(app, caller, AcceptInviteResponseSchema, async (tx) => {
    await lockMembers(tx, organizationId);
    const before = await findMember(tx, organizationId, memberId);
    if (!before) throw unauthenticated(ErrorReason.KEY_UNKNOWN, "this invite was taken back");
    if (before.joined_at) throw stateConflict("this invite was used already");
    await checkInviter(tx, before);
    noteBefore(tx, MemberSchema, toMember(before));
    const now = app.clock.now();
    const joined = { name: request.name, joined_at: now };
    const own = tx.updateTable("member").where("organization_id", "=", organizationId);
    await own.set(joined).where("id", "=", memberId).execute();
    const secret = makeSecret("TOKEN", organizationId);
    const expiresAt = plusMs(now, request.expiresIn ? durationMs(request.expiresIn) : TOKEN_MS);
    const token = newAccessTokenRow(app, { organizationId, memberId, name: "first token", secret, expiresAt });
    await tx.insertInto("access_token").values(token).execute();
    return create(AcceptInviteResponseSchema, {
      member: toMember({ ...before, ...joined }),
      accessToken: toAccessToken(token),
      secret,
    });
  });
}

/** Refuses an invite of who could not make it today: somebody may have kept one for the time after their role was lowered. */
async function checkInviter(tx: Tx, invited: MemberRow): Promise<void> {
  const inviter = invited.invited_by && (await findMember(tx, invited.organization_id, invited.invited_by));
  const role = roleOf(inviter ? inviter.role : "");
  if (allows(role, "member:write") && covers(role, roleOf(invited.role))) return;
  throw forbidden("who invited you may not give this role any more: ask for another invite");
}
