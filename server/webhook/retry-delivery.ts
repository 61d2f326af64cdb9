import { create } from "@bufbuild/protobuf";
import { DeliverySchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type RetryDeliveryRequest, RetryDeliveryResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { stateConflict } from "../rpc/errors.ts";
import { getDeliveryRow, toDelivery } from "./delivery.ts";
import { lockEndpoint } from "./endpoint.ts";
import { sendAgain } from "./send-again.ts";

/** Sends a delivery again, now, whatever became of it; one that is being sent this moment is left as it is. */
export function retryDelivery(app: App, caller: Caller, request: RetryDeliveryRequest) {
  const { tenantId } = caller;
  return change(app, caller, RetryDeliveryResponseSchema, async (tx) => {
    const { endpoint_id } = await getDeliveryRow(tx, tenantId, request.id);
    // Locked, so that what waits for it is not given up beside this.
    const endpoint = await lockEndpoint(tx, tenantId, endpoint_id);
    if (!endpoint) throw stateConflict("the endpoint of this delivery was deleted");
    const before = await getDeliveryRow(tx, tenantId, request.id);
    noteBefore(tx, DeliverySchema, toDelivery(before));
    await sendAgain(tx, before);
    const row = await getDeliveryRow(tx, tenantId, request.id);
    if (row.completed_at) {
      throw stateConflict("the event of this delivery is not kept any more: there is nothing to send");
    }
    return create(RetryDeliveryResponseSchema, { delivery: toDelivery(row) });
  });
}
