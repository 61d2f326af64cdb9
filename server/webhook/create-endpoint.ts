import { create } from "@bufbuild/protobuf";
import { type CreateEndpointRequest, CreateEndpointResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { newId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { secretPlace, toEndpoint } from "./endpoint.ts";
import { keepPace } from "./endpoint-caps.ts";
import { headerColumns } from "./endpoint-headers.ts";
import { takeSecret } from "./endpoint-secret.ts";
import { checkUrl } from "./endpoint-url.ts";
import { checkPatterns } from "./event-filter.ts";

/** Makes an endpoint. Its secret is in this answer, and in no other. */
export async function createEndpoint(app: App, caller: Caller, request: CreateEndpointRequest) {
  const { kind, bytes, publicKey, shown } = takeSecret(request.signatureKind, request.secret);
  checkPatterns(request.eventTypes);
  await checkUrl(request.url, app.config);
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
        signature_kind: kind,
        secret_sealed: app.secrets.seal(bytes, secretPlace(tenantId, id)),
        public_key: publicKey,
        ...headerColumns(app.secrets, { tenantId, id }, "headers", request.headers),
        metadata: JSON.stringify(request.metadata),
        max_per_second: request.maxPerSecond || null,
        max_in_flight: request.maxInFlight || null,
        ordered: request.ordered,
        created_at: app.clock.now(),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await keepPace(tx, row);
    return create(CreateEndpointResponseSchema, { endpoint: toEndpoint(row), secret: shown });
  });
}
