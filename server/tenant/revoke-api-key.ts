import { create } from "@bufbuild/protobuf";
import { type RevokeApiKeyRequest, RevokeApiKeyResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { parseId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { notFound } from "../rpc/errors.ts";
import { toApiKey } from "./api-key.ts";

/** Revokes an API key. The time of the first revocation stands. */
export function revokeApiKey(app: App, caller: Caller, request: RevokeApiKeyRequest) {
  const { tenantId } = caller;
  return change(app, caller, RevokeApiKeyResponseSchema, async (tx) => {
    const id = parseId("key", request.id);
    const row = id
      ? await tx
          .updateTable("api_key")
          .set((expression) => ({
            revoked_at: expression.fn.coalesce("revoked_at", expression.val(app.clock.now())),
          }))
          .where("tenant_id", "=", tenantId)
          .where("id", "=", id)
          .returningAll()
          .executeTakeFirst()
      : undefined;
    if (!row) throw notFound("API key", request.id);
    return create(RevokeApiKeyResponseSchema, { apiKey: toApiKey(row) });
  });
}
