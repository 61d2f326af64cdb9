import { create } from "@bufbuild/protobuf";
import { MemberSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import { type RemoveMemberRequest, RemoveMemberResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { roleOf } from "./api-key.ts";
import { checkCovers, checkOwnerStays, getMember, lockAsManager, toMember } from "./member.ts";

/** Removes a member with their access tokens, or an invite. */
export function removeMember(app: App, caller: Caller, request: RemoveMemberRequest) {
  const { organizationId } = tokenOf(caller);
  return change(app, caller, RemoveMemberResponseSchema, async (tx) => {
    const ownRole = await lockAsManager(tx, caller);
    const before = await getMember(tx, organizationId, request.id);
    checkCovers(ownRole, roleOf(before.role));
    await checkOwnerStays(tx, before);
    noteBefore(tx, MemberSchema, toMember(before));
    const own = tx.deleteFrom("member").where("organization_id", "=", organizationId);
    await own.where("id", "=", before.id).execute(); // and their tokens, by the foreign key
    return create(RemoveMemberResponseSchema);
  });
}
