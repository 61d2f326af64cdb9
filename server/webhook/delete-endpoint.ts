import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type DeleteEndpointRequest, DeleteEndpointResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { parseId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { notFound } from "../rpc/errors.ts";

/** Deletes an endpoint and gives up what waits for it, what is being sent included. Its deliveries stay in the log. */
export function deleteEndpoint(app: App, caller: Caller, request: DeleteEndpointRequest) {
  const { tenantId } = caller;
  return change(app, caller, DeleteEndpointResponseSchema, async (tx) => {
    const id = parseId("whe", request.id);
    const now = app.clock.now();
    const row = id
      ? await tx
          .updateTable("endpoint")
          .set({ deleted_at: now })
          .where("tenant_id", "=", tenantId)
          .where("id", "=", id)
          .where("deleted_at", "is", null)
          .returning("id")
          .executeTakeFirst()
      : undefined;
    if (!row) throw notFound("endpoint", request.id);
    await giveUpWaiting(tx, tenantId, row.id, now);
    return create(DeleteEndpointResponseSchema);
  });
}

/**
 * Fan-out locks the endpoint, so no delivery is made beside this. The rows are locked in the order in which settlements
 * lock them: in any other, the two could wait for each other.
 */
async function giveUpWaiting(tx: Tx, tenantId: string, endpointId: string, now: Date): Promise<void> {
  await sql`
    with waiting as (
      select delivery_id from delivery_due
      where tenant_id = ${tenantId} and endpoint_id = ${endpointId}
      order by delivery_id
      for update
    ), gone as (
      delete from delivery_due using waiting
      where delivery_due.tenant_id = ${tenantId} and delivery_due.delivery_id = waiting.delivery_id
      returning delivery_due.delivery_id
    )
    update delivery set state = 'FAILED', completed_at = ${now}, last_error = 'the endpoint was deleted'
    from gone where delivery.tenant_id = ${tenantId} and delivery.id = gone.delivery_id`.execute(tx);
}
