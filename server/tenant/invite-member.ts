import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { MemberSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import { type InviteMemberRequest, InviteMemberResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { newMemberId } from "../id.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { alreadyExists } from "../rpc/errors.ts";
import { roleName, roleOf } from "./api-key.ts";
import { checkCovers, lockAsManager, normalEmail, toMember } from "./member.ts";
import { makeSecret } from "./secret-text.ts";

const INVITE_MS = 7 * 24 * 60 * 60 * 1_000;

/** Invites a person, or makes a new code for one who was invited and has not come. */
export function inviteMember(app: App, caller: Caller, request: InviteMemberRequest) {
  const { organizationId } = tokenOf(caller);
  const email = normalEmail(request.email);
  return change(app, caller, InviteMemberResponseSchema, async (tx) => {
    const ownRole = await lockAsManager(tx, caller);
    checkCovers(ownRole, request.role);
    const before = await tx
      .selectFrom("member")
      .selectAll()
      .where("organization_id", "=", organizationId)
      .where("email", "=", email)
      .executeTakeFirst();
    if (before?.joined_at) throw alreadyExists(`${email} is a member already`, "email");
    const now = app.clock.now();
    const code = makeSecret("INVITE", organizationId);
    const invite = {
      role: roleName(request.role),
      invited_at: now,
      invited_by: caller.keyId,
      invite_hash: app.secrets.hashKey(code),
      invite_pepper_id: app.secrets.pepperIds[0] as Buffer,
      invite_expires_at: plusMs(now, request.expiresIn ? durationMs(request.expiresIn) : INVITE_MS),
    };
    if (before) {
      checkCovers(ownRole, roleOf(before.role));
      noteBefore(tx, MemberSchema, toMember(before));
      const own = tx.updateTable("member").where("organization_id", "=", organizationId);
      await own.set(invite).where("id", "=", before.id).execute();
      return create(InviteMemberResponseSchema, { member: toMember({ ...before, ...invite }), code });
    }
    const row = { organization_id: organizationId, id: newMemberId(), email, name: "", joined_at: null, ...invite };
    await tx.insertInto("member").values(row).execute();
    return create(InviteMemberResponseSchema, { member: toMember(row), code });
  });
}
