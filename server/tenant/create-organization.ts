import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import {
  type CreateOrganizationRequest,
  CreateOrganizationResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { formatId, newId, uuidOf } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { alreadyExists, brokenConstraint, refusal } from "../rpc/errors.ts";
import { toMember } from "./member.ts";
import { insertOrganization } from "./new-organization.ts";
import { tenantsOf, toOrganization } from "./organization.ts";

/** Makes an organization for the operator. The call runs at the organization that it makes. */
export async function createOrganization(app: App, caller: Caller, request: CreateOrganizationRequest) {
  const { idempotency } = caller;
  const id = idempotency ? idFrom(idempotency.key) : newId();
  const { name, ownerEmail, another } = request;
  try {
    return await change(app, { ...caller, tenantId: id }, CreateOrganizationResponseSchema, async (tx) => {
      if (!another) await refuseNamesakes(app, { id, name });
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
  } catch (error) {
    if (brokenConstraint(error) !== "organization_pkey") throw error;
    throw refusal(
      Code.AlreadyExists,
      ErrorReason.IDEMPOTENCY_CONFLICT,
      "this idempotency key made an organization before, and that answer is not kept any more; use a new key to make another",
      "idempotency-key",
    );
  }
}

/**
 * The id of the organization that is made with an idempotency key: a repeated call comes to the same place, and finds its
 * answer there. No secret of the server's goes in, because those change.
 */
function idFrom(idempotencyKey: string): string {
  return uuidOf(createHash("sha256").update(`organization|${idempotencyKey}`).digest());
}

/**
 * A name is no key, and an operator who says one twice mostly means one organization. Asked with the workers' login: the
 * application's sees none but the one that a call is about. Two calls at once may both go through.
 */
async function refuseNamesakes({ workerDb }: App, { id, name }: { id: string; name: string }): Promise<void> {
  const named = workerDb.selectFrom("organization").select("id").where("name", "=", name);
  const others = await named.where("id", "<>", id).orderBy("id").limit(10).execute(); // itself: a call that is repeated late
  const ids = others.map((other) => formatId("org", other.id));
  if (ids.length === 0) return;
  throw alreadyExists(`there is an organization ${JSON.stringify(name)} already: ${ids.join(", ")}`, "another");
}
