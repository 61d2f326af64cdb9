import { create } from "@bufbuild/protobuf";
import { OrganizationSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import {
  type DeleteOrganizationRequest,
  DeleteOrganizationResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore, noteUnchanged } from "../rpc/change-note.ts";
import { invalid } from "../rpc/errors.ts";
import { holdOrganization, toOrganization } from "./organization.ts";

const DAY_MS = 86_400_000;

/** Has the caller's organization deleted when the waiting time is over: see empty-organizations.ts. */
export function deleteOrganization(app: App, caller: Caller, { name }: DeleteOrganizationRequest) {
  const { organizationId } = tokenOf(caller);
  return change(app, caller, DeleteOrganizationResponseSchema, async (tx) => {
    const row = await holdOrganization(tx, organizationId);
    if (row.name !== name) throw invalid("name", "must be the name that the organization has");
    if (row.delete_after) {
      noteUnchanged(tx);
      return create(DeleteOrganizationResponseSchema, { organization: toOrganization(row) });
    }
    noteBefore(tx, OrganizationSchema, toOrganization(row));
    const delete_after = plusMs(app.clock.now(), app.config.organizationDeletionDays * DAY_MS);
    await tx.updateTable("organization").set({ delete_after }).where("id", "=", organizationId).execute();
    return create(DeleteOrganizationResponseSchema, { organization: toOrganization({ ...row, delete_after }) });
  });
}
