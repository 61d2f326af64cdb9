import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type CreateEndpointRequest, CreateEndpointResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { newId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { invalid } from "../rpc/errors.ts";
import { secretPlace, toEndpoint } from "./endpoint.ts";
import { checkUrl } from "./endpoint-url.ts";
import { checkPatterns } from "./event-filter.ts";
import { formatSecret, parseSecret } from "./signature.ts";

const SECRET_BYTES = 32;

/** Makes an endpoint. Its secret is in this answer, and in no other. */
export async function createEndpoint(app: App, caller: Caller, request: CreateEndpointRequest) {
  const key = request.secret ? parseSecret(request.secret) : randomBytes(SECRET_BYTES);
  if (!key) throw invalid("secret", "secret must be whsec_ and 24 to 64 bytes in base64");
  checkPatterns(request.eventTypes);
  await checkUrl(request.url, app.config.emulator);
  const { tenantId } = caller;
  return change(app, caller, CreateEndpointResponseSchema, async (tx) => {
    const id = newId();
    const row = await tx
      .insertInto("endpoint")
      .values({
        tenant_id: tenantId,
        id,
        url: request.url,
        description: request.description,
        event_types: request.eventTypes,
        secret_sealed: app.secrets.seal(key, secretPlace(tenantId, id)),
        created_at: app.clock.now(),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    return create(CreateEndpointResponseSchema, { endpoint: toEndpoint(row), secret: formatSecret(key) });
  });
}
