import { create } from "@bufbuild/protobuf";
import { GetTenantResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { whoCalls } from "./access-token.ts";
import { getApiKey } from "./api-key.ts";
import { getTenant } from "./tenant.ts";

/** The caller's tenant, and who the caller is. A member is the organization's: looked up there. */
export async function getOwnTenant(app: App, caller: Caller) {
  const { tenantId, keyId, credential } = caller;
  const tenant = await inTenant(app.db, tenantId, (tx) => getTenant(app, tx, tenantId));
  const who =
    credential?.kind === "ACCESS_TOKEN"
      ? await inTenant(app.db, credential.organizationId, (tx) => whoCalls(tx, caller))
      : { apiKey: await inTenant(app.db, tenantId, (tx) => getApiKey(tx, tenantId, keyId)) };
  return create(GetTenantResponseSchema, { tenant, ...who });
}
