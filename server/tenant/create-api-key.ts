import { create } from "@bufbuild/protobuf";
import { type CreateApiKeyRequest, CreateApiKeyResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { newId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { forbidden } from "../rpc/errors.ts";
import { covers } from "../rpc/permission.ts";
import { makeSecret, newApiKeyRow, toApiKey } from "./api-key.ts";

/** Makes an API key of a role that the caller's own role covers: nobody raises themselves. */
export function createApiKey(app: App, caller: Caller, request: CreateApiKeyRequest) {
  if (!covers(caller.role, request.role)) throw forbidden("your key may not make a key that may do more than itself");
  const { tenantId } = caller;
  return change(app, caller, CreateApiKeyResponseSchema, async (tx) => {
    const secret = makeSecret(caller.kind, tenantId);
    const row = newApiKeyRow(app, { tenantId, id: newId(), name: request.name, role: request.role, secret });
    await tx.insertInto("api_key").values(row).execute();
    return create(CreateApiKeyResponseSchema, { apiKey: toApiKey(row), secret });
  });
}
