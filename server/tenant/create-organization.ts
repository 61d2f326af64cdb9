import { create } from "@bufbuild/protobuf";
import {
  type CreateOrganizationRequest,
  CreateOrganizationResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { formatId, newId, uuidOf } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { alreadyExists } from "../rpc/errors.ts";
import { toMember } from "./member.ts";
import { insertOrganization } from "./new-organization.ts";
import { tenantsOf, toOrganization } from "./organization.ts";

/** Makes an organization for the operator. The call runs at the organization that it makes. */
export function createOrganization(app: App, caller: Caller, request: CreateOrganizationRequest) {
  // With an idempotency key its id follows from that: a repeated call comes to the same place, and finds its answer there.
  const { idempotency } = caller;
  const id = idempotency ? uuidOf(app.secrets.hashKey(`organization|${idempotency.key}`)) : newId();
  const { name, ownerEmail, another } = request;
  return change(app, { ...caller, tenantId: id }, CreateOrganizationResponseSchema, async (tx) => {
    if (!another) await refuseNamesakes(app, name);
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

/**
 * A name is no key, and an operator who says one twice mostly means one organization. Asked with the workers' login: the
 * application's sees none but the one that a call is about. Two calls at once may both go through.
 */
async function refuseNamesakes({ workerDb }: App, name: string): Promise<void> {
  const named = workerDb.selectFrom("organization").select("id").where("name", "=", name).orderBy("id").limit(10);
  const ids = (await named.execute()).map(({ id }) => formatId("org", id));
  if (ids.length === 0) return;
  throw alreadyExists(`there is an organization ${JSON.stringify(name)} already: ${ids.join(", ")}`, "another");
}
