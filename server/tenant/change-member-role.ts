import { create } from "@bufbuild/protobuf";
import { MemberSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import {
  type ChangeMemberRoleRequest,
  ChangeMemberRoleResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { roleName, roleOf } from "./api-key.ts";
import { checkCovers, checkOwnerStays, getMember, lockAsManager, toMember } from "./member.ts";

/** Gives a member, or who is invited, another role. */
export function changeMemberRole(app: App, caller: Caller, request: ChangeMemberRoleRequest) {
  const { organizationId } = tokenOf(caller);
  return change(app, caller, ChangeMemberRoleResponseSchema, async (tx) => {
    const ownRole = await lockAsManager(tx, caller);
    const before = await getMember(tx, organizationId, request.id);
    checkCovers(ownRole, roleOf(before.role));
    checkCovers(ownRole, request.role);
    if (roleName(request.role) !== before.role) await checkOwnerStays(tx, before);
    noteBefore(tx, MemberSchema, toMember(before));
    // Of an invite: who gives its role answers for it from now on.
    const changed = { role: roleName(request.role), ...(before.joined_at ? {} : { invited_by: caller.keyId }) };
    const own = tx.updateTable("member").where("organization_id", "=", organizationId);
    await own.set(changed).where("id", "=", before.id).execute();
    return create(ChangeMemberRoleResponseSchema, { member: toMember({ ...before, ...changed }) });
  });
}
