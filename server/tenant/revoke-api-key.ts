import { create } from "@bufbuild/protobuf";
import { ApiKeySchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type RevokeApiKeyRequest, RevokeApiKeyResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { parseId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { notFound } from "../rpc/errors.ts";
import { toApiKey } from "./api-key.ts";

/** Revokes an API key. The time of the first revocation stands. */
export function revokeApiKey(app: App, caller: Caller, request: RevokeApiKeyRequest) {
  const { tenantId } = caller;
  return change(app, caller, RevokeApiKeyResponseSchema, async (tx) => {
    const id = parseId("key", request.id);
    const row = id
      ? await tx
          .selectFrom("api_key")
          .selectAll()
          .where("tenant_id", "=", tenantId)
          .where("id", "=", id)
          .forNoKeyUpdate()
          .executeTakeFirst()
      : undefined;
    if (!row) throw notFound("API key", request.id);
    noteBefore(tx, ApiKeySchema, toApiKey(row));
    const revokedAt = row.revoked_at ?? app.clock.now();
    await tx
      .updateTable("api_key")
      .set({ revoked_at: revokedAt })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", row.id)
      .execute();
    return create(RevokeApiKeyResponseSchema, { apiKey: toApiKey({ ...row, revoked_at: revokedAt }) });
  });
}
