import { create } from "@bufbuild/protobuf";
import { OrganizationSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import { CancelOrganizationDeletionResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore, noteUnchanged } from "../rpc/change-note.ts";
import { holdOrganization, toOrganization } from "./organization.ts";

/** Lets the caller's organization stay. Whoever calls is still let in: its time has not come. */
export function cancelOrganizationDeletion(app: App, caller: Caller) {
  const { organizationId } = tokenOf(caller);
  return change(app, caller, CancelOrganizationDeletionResponseSchema, async (tx) => {
    const row = await holdOrganization(tx, organizationId);
    if (row.delete_after) noteBefore(tx, OrganizationSchema, toOrganization(row));
    else noteUnchanged(tx);
    await tx.updateTable("organization").set({ delete_after: null }).where("id", "=", organizationId).execute();
    return create(CancelOrganizationDeletionResponseSchema, {
      organization: toOrganization({ ...row, delete_after: null }),
    });
  });
}
