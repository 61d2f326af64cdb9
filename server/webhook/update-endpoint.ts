import { create } from "@bufbuild/protobuf";
import { type UpdateEndpointRequest, UpdateEndpointResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { parseId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { notFound } from "../rpc/errors.ts";
import { toEndpoint } from "./endpoint.ts";
import { keepPace } from "./endpoint-caps.ts";
import { headerColumns } from "./endpoint-headers.ts";
import { checkUrl } from "./endpoint-url.ts";
import { checkPatterns } from "./event-filter.ts";

/**
 * Replaces an endpoint's URL, description and event types, and headers, metadata and caps where given. What waits for it
 * goes to the new URL.
 */
export async function updateEndpoint(app: App, caller: Caller, request: UpdateEndpointRequest) {
  checkPatterns(request.eventTypes);
  await checkUrl(request.url, app.config);
  const { tenantId } = caller;
  const { headers, metadata, maxPerSecond, maxInFlight } = request;
  return change(app, caller, UpdateEndpointResponseSchema, async (tx) => {
    const id = parseId("whe", request.id);
    const row = id
      ? await tx
          .updateTable("endpoint")
          .set({
            url: request.url,
            description: request.description,
            event_types: request.eventTypes,
            ...(headers ? headerColumns(app.secrets, { tenantId, id }, "headers.values", headers.values) : {}),
            ...(metadata ? { metadata: JSON.stringify(metadata.values) } : {}),
            ...(maxPerSecond === undefined ? {} : { max_per_second: maxPerSecond || null }),
            ...(maxInFlight === undefined ? {} : { max_in_flight: maxInFlight || null }),
          })
          .where("tenant_id", "=", tenantId)
          .where("id", "=", id)
          .where("deleted_at", "is", null)
          .returningAll()
          .executeTakeFirst()
      : undefined;
    if (!row) throw notFound("endpoint", request.id);
    await keepPace(tx, row);
    return create(UpdateEndpointResponseSchema, { endpoint: toEndpoint(row) });
  });
}
