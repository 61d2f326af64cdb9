import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type CreateApiKeyRequest, CreateApiKeyResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { newId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { forbidden } from "../rpc/errors.ts";
import { covers } from "../rpc/permission.ts";
import { newApiKeyRow, toApiKey } from "./api-key.ts";
import { checkCidrs, checkWithinOwn, holdMaker } from "./key-limits.ts";
import { makeSecret } from "./secret-text.ts";

/** Makes an API key of a role that the caller's own role covers, and within the limits of its own key. */
export function createApiKey(app: App, caller: Caller, request: CreateApiKeyRequest) {
  const { name, role, expiresIn, allowedCidrs } = request;
  checkCidrs(allowedCidrs);
  const { tenantId } = caller;
  return change(app, caller, CreateApiKeyResponseSchema, async (tx) => {
    const maker = await holdMaker(tx, caller);
    if (!covers(maker.role, role)) throw forbidden("you may not make a key that may do more than your own role");
    const secret = makeSecret(caller.kind, tenantId);
    const expiresAt = expiresIn ? plusMs(app.clock.now(), durationMs(expiresIn)) : null;
    const row = newApiKeyRow(app, { tenantId, id: newId(), name, role, secret, expiresAt, allowedCidrs });
    checkWithinOwn(maker, row);
    await tx.insertInto("api_key").values(row).execute();
    return create(CreateApiKeyResponseSchema, { apiKey: toApiKey(row), secret });
  });
}
