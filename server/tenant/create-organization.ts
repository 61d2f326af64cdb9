import { create } from "@bufbuild/protobuf";
import {
  type CreateOrganizationRequest,
  CreateOrganizationResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { newId, uuidOf } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { toMember } from "./member.ts";
import { insertOrganization } from "./new-organization.ts";
import { tenantsOf, toOrganization } from "./organization.ts";

/** Makes an organization for the operator. The call runs at the organization that it makes. */
export function createOrganization(app: App, caller: Caller, request: CreateOrganizationRequest) {
  // With an idempotency key its id follows from that: a repeated call comes to the same place, and finds its answer there.
  const { idempotency } = caller;
  const id = idempotency ? uuidOf(app.secrets.hashKey(`organization|${idempotency.key}`)) : newId();
  const { name, ownerEmail } = request;
  return change(app, { ...caller, tenantId: id }, CreateOrganizationResponseSchema, async (tx) => {
    const made = await insertOrganization(tx, app, { id, name, ownerEmail });
    return create(CreateOrganizationResponseSchema, {
      organization: toOrganization(made.organization),
      tenants: await tenantsOf(app, tx, id),
      owner: toMember(made.owner),
      liveKey: made.live.secret,
      testKey: made.test.secret,
      ownerToken: made.ownerToken,
    });
  });
}
