import { create } from "@bufbuild/protobuf";
import { OrganizationSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import {
  type RenameOrganizationRequest,
  RenameOrganizationResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { holdOrganization, toOrganization } from "./organization.ts";

/** Gives the caller's organization another name. */
export function renameOrganization(app: App, caller: Caller, { name }: RenameOrganizationRequest) {
  const { organizationId } = tokenOf(caller);
  return change(app, caller, RenameOrganizationResponseSchema, async (tx) => {
    const row = await holdOrganization(tx, organizationId);
    noteBefore(tx, OrganizationSchema, toOrganization(row));
    await tx.updateTable("organization").set({ name }).where("id", "=", organizationId).execute();
    return create(RenameOrganizationResponseSchema, { organization: toOrganization({ ...row, name }) });
  });
}
