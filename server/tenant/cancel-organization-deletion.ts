import { create } from "@bufbuild/protobuf";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { OrganizationSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import { CancelOrganizationDeletionResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore, noteUnchanged } from "../rpc/change-note.ts";
import { unauthenticated } from "../rpc/errors.ts";
import { holdOrganization, toOrganization } from "./organization.ts";

/** Lets the caller's organization stay. Whoever was let in called before its time; when it comes meanwhile, that is refused. */
export function cancelOrganizationDeletion(app: App, caller: Caller) {
  const { organizationId } = tokenOf(caller);
  return change(app, caller, CancelOrganizationDeletionResponseSchema, async (tx) => {
    const row = await holdOrganization(tx, organizationId);
    await holdTenants(tx, organizationId);
    if (row.delete_after && row.delete_after <= app.clock.now()) {
      const message = `the organization was deleted at ${row.delete_after.toISOString()}`;
      throw unauthenticated(ErrorReason.ORGANIZATION_DELETED, message);
    }
    if (row.delete_after) noteBefore(tx, OrganizationSchema, toOrganization(row));
    else noteUnchanged(tx);
    await tx.updateTable("organization").set({ delete_after: null }).where("id", "=", organizationId).execute();
    return create(CancelOrganizationDeletionResponseSchema, {
      organization: toOrganization({ ...row, delete_after: null }),
    });
  });
}

/** As the loop does before it takes anything away (empty-organizations.ts): one of the two comes first, and the other knows. */
async function holdTenants(tx: Tx, organizationId: string): Promise<void> {
  await tx.selectFrom("tenant").select("tenant_id").where("organization_id", "=", organizationId).forShare().execute();
}
