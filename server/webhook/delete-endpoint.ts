import { create } from "@bufbuild/protobuf";
import { EndpointSchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type DeleteEndpointRequest, DeleteEndpointResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { getEndpoint, toEndpoint } from "./endpoint.ts";
import { giveUpWaiting, type LockedEndpoint } from "./give-up-waiting.ts";

/** Deletes an endpoint and gives up what waits for it, what is being sent included. Its deliveries stay in the log. */
export function deleteEndpoint(app: App, caller: Caller, request: DeleteEndpointRequest) {
  const { tenantId } = caller;
  return change(app, caller, DeleteEndpointResponseSchema, async (tx) => {
    const row = await getEndpoint(tx, tenantId, request.id, "lock");
    noteBefore(tx, EndpointSchema, toEndpoint(row));
    await removeEndpoint(tx, { tenantId, endpointId: row.id }, app.clock.now(), "the endpoint was deleted");
    return create(DeleteEndpointResponseSchema);
  });
}

/** Deletes an endpoint for a reason in words. Answers whether it was there. */
export async function removeEndpoint(
  tx: Tx,
  { tenantId, endpointId }: LockedEndpoint,
  now: Date,
  why: string,
): Promise<boolean> {
  const row = await tx
    .updateTable("endpoint")
    .set({ deleted_at: now })
    .where("tenant_id", "=", tenantId)
    .where("id", "=", endpointId)
    .where("deleted_at", "is", null)
    .returning("listener_name")
    .executeTakeFirst();
  if (!row) return false;
  if (row.listener_name) {
    await tx.deleteFrom("listener").where("tenant_id", "=", tenantId).where("endpoint_id", "=", endpointId).execute();
  }
  await giveUpWaiting(tx, { tenantId, endpointId }, now, why);
  return true;
}
