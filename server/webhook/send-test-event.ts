import { create } from "@bufbuild/protobuf";
import { WebhookTestSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { type SendTestEventRequest, SendTestEventResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { formatId, newId, parseId } from "../id.ts";
import { storeEvents } from "../outbox/append-event.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { notFound } from "../rpc/errors.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { AT_ONCE } from "./claim-deliveries.ts";
import { getDeliveryRow, toDelivery } from "./delivery.ts";
import { lockEndpoint } from "./endpoint.ts";
import { insertDeliveries } from "./fan-out.ts";

const TYPE = "webhook.test";

/** Makes a test event and its one delivery. It is not dispatched: no other endpoint is told, whatever it asks for. */
export function sendTestEvent(app: App, caller: Caller, request: SendTestEventRequest) {
  const { tenantId } = caller;
  return change(app, caller, SendTestEventResponseSchema, async (tx) => {
    const uuid = parseId("whe", request.endpointId);
    const endpoint = uuid ? await lockEndpoint(tx, tenantId, uuid) : undefined;
    if (!endpoint) throw notFound("endpoint", request.endpointId);
    const test = create(WebhookTestSchema, {
      endpointId: request.endpointId,
      message: "A test of this endpoint. Nothing happened.",
    });
    const occurredAt = await tenantNow(tx, tenantId, app.clock);
    const [eventId] = (await storeEvents(tx, tenantId, [{ type: TYPE, occurredAt, facts: { test } }])) as [string];
    const id = newId();
    const event = { id: eventId, type: TYPE, customer_id: null };
    await insertDeliveries(
      app,
      tx,
      tenantId,
      [{ id, event, endpointId: endpoint.id, sequence: endpoint.last_sequence + 1n, lane: null }],
      AT_ONCE,
    );
    const delivery = toDelivery(await getDeliveryRow(tx, tenantId, formatId("whd", id)));
    return create(SendTestEventResponseSchema, { delivery });
  });
}
