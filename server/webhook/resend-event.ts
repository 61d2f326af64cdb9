import { create } from "@bufbuild/protobuf";
import { type ResendEventRequest, ResendEventResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { formatId, newId, parseId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { notFound, stateConflict } from "../rpc/errors.ts";
import { AT_ONCE } from "./claim-deliveries.ts";
import { getDeliveryRow, toDelivery } from "./delivery.ts";
import { lockEndpoint } from "./endpoint.ts";
import { getEventRow } from "./event.ts";
import { insertDeliveries } from "./fan-out.ts";
import { laneOf } from "./lane.ts";
import { sendAgain } from "./send-again.ts";

/** Sends an event to one endpoint: by the delivery of it that there is, or by one that is made now. */
export function resendEvent(app: App, caller: Caller, request: ResendEventRequest) {
  const { tenantId } = caller;
  return change(app, caller, ResendEventResponseSchema, async (tx) => {
    const uuid = parseId("whe", request.endpointId);
    const endpoint = uuid ? await lockEndpoint(tx, tenantId, uuid) : undefined;
    if (!endpoint) throw notFound("endpoint", request.endpointId);
    const event = await getEventRow(tx, tenantId, request.eventId);
    // The lock keeps fan-out from this endpoint, so what is there now is all there will be.
    await refuseWaiting(tx, tenantId, event.id);
    const before = await deliveryOf(tx, tenantId, event.id, endpoint.id);
    const id = before ?? newId();
    if (before) {
      await sendAgain(tx, await getDeliveryRow(tx, tenantId, formatId("whd", before)));
    } else {
      const sequence = endpoint.last_sequence + 1n;
      const lane = endpoint.ordered ? laneOf(event.customer_id) : null;
      await insertDeliveries(app, tx, tenantId, [{ id, event, endpointId: endpoint.id, sequence, lane }], AT_ONCE);
    }
    const delivery = toDelivery(await getDeliveryRow(tx, tenantId, formatId("whd", id)));
    return create(ResendEventResponseSchema, { delivery });
  });
}

/** An event that is still to be fanned out must not have a delivery before that makes its own. */
async function refuseWaiting(tx: Tx, tenantId: string, eventId: string): Promise<void> {
  const waiting = await tx
    .selectFrom("outbox_pending")
    .select("event_id")
    .where("tenant_id", "=", tenantId)
    .where("event_id", "=", eventId)
    .executeTakeFirst();
  if (waiting) throw stateConflict("the deliveries of this event are just being made; try again in a moment");
}

async function deliveryOf(tx: Tx, tenantId: string, eventId: string, endpointId: string): Promise<string | undefined> {
  const row = await tx
    .selectFrom("delivery")
    .select("id")
    .where("tenant_id", "=", tenantId)
    .where("event_id", "=", eventId)
    .where("endpoint_id", "=", endpointId)
    .executeTakeFirst();
  return row?.id;
}
