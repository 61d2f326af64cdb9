import { create } from "@bufbuild/protobuf";
import type { Selectable } from "kysely";
import { EndpointSchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type UpdateEndpointRequest, UpdateEndpointResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Endpoint as EndpointRow } from "../db/tables.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { brokenConstraint, invalid, stateConflict } from "../rpc/errors.ts";
import { getEndpoint, toEndpoint } from "./endpoint.ts";
import { keepPace } from "./endpoint-caps.ts";
import { headerColumns } from "./endpoint-headers.ts";
import { forgetFailures } from "./endpoint-health.ts";
import { checkUrl } from "./endpoint-url.ts";
import { checkPatterns } from "./event-filter.ts";
import { beginOrder, endOrder } from "./lane.ts";

/**
 * Replaces an endpoint's URL, description and event types, and headers, metadata, caps and order where given. What waits for
 * it goes to the new URL.
 */
export async function updateEndpoint(app: App, caller: Caller, request: UpdateEndpointRequest) {
  checkPatterns(request.eventTypes);
  await checkUrl(request.url, app.config);
  const { tenantId } = caller;
  const { headers, metadata, maxPerSecond, maxInFlight, ordered } = request;
  return change(app, caller, UpdateEndpointResponseSchema, async (tx) => {
    const before = await getEndpoint(tx, tenantId, request.id, "lock");
    const { id } = before;
    if (!headers) checkHeadersStay(before, request.url);
    noteBefore(tx, EndpointSchema, toEndpoint(before));
    const row = await tx
      .updateTable("endpoint")
      .set({
        url: request.url,
        description: request.description,
        event_types: request.eventTypes,
        ...(headers ? headerColumns(app.secrets, { tenantId, id }, "headers.values", headers.values) : {}),
        ...(metadata ? { metadata: JSON.stringify(metadata.values) } : {}),
        ...(maxPerSecond === undefined ? {} : { max_per_second: maxPerSecond || null }),
        ...(maxInFlight === undefined ? {} : { max_in_flight: maxInFlight || null }),
        ...(ordered === undefined ? {} : { ordered }),
      })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    // Whoever changes where or how it is asked wants to see whether it works now.
    if (row.url !== before.url || headers) await forgetFailures(tx, tenantId, id);
    if (row.ordered && !before.ordered) await beginOrder(tx, tenantId, id);
    if (!row.ordered && before.ordered) await endOrder(tx, tenantId, id, app.clock.now());
    await keepPace(tx, row);
    return create(UpdateEndpointResponseSchema, { endpoint: toEndpoint(row) });
  }).catch((error) => {
    if (brokenConstraint(error) !== "endpoint_listener") throw error;
    throw stateConflict("a listener has no URL; its client says which events it gets, each time it calls Listen");
  });
}

/** Values of headers are shown to nobody. Whoever could take them to a server of their own would see them there. */
function checkHeadersStay(before: Pick<Selectable<EndpointRow>, "url" | "header_names">, url: string): void {
  if (before.header_names.length === 0 || URL.parse(url)?.origin === URL.parse(before.url)?.origin) return;
  throw invalid("headers", "the headers were given for another server: give them again with its URL, or none");
}
