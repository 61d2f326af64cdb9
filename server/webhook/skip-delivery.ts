import { create } from "@bufbuild/protobuf";
import { DeliverySchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type SkipDeliveryRequest, SkipDeliveryResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { stateConflict } from "../rpc/errors.ts";
import { type DeliveryRow, getDeliveryRow, toDelivery } from "./delivery.ts";
import { lockEndpoint } from "./endpoint.ts";
import { release } from "./lane.ts";

/** Gives up a delivery that waits, and releases what it held. */
export function skipDelivery(app: App, caller: Caller, request: SkipDeliveryRequest) {
  const { tenantId } = caller;
  return change(app, caller, SkipDeliveryResponseSchema, async (tx) => {
    const found = await getDeliveryRow(tx, tenantId, request.id);
    await lockEndpoint(tx, tenantId, found.endpoint_id);
    noteBefore(tx, DeliverySchema, toDelivery(await getDeliveryRow(tx, tenantId, request.id)));
    const now = app.clock.now();
    const waited = await giveUp(tx, tenantId, found.id, now);
    const row = await getDeliveryRow(tx, tenantId, request.id);
    if (row.state !== "SKIPPED") throw stateConflict(whyNot(row));
    if (waited && waited.lane !== null) {
      await release(tx, tenantId, [{ endpoint_id: row.endpoint_id, lane: waited.lane }], now);
    }
    return create(SkipDeliveryResponseSchema, { delivery: toDelivery(row) });
  });
}

/** What is held by a worker is not given up: it could still arrive, and after what it held. */
async function giveUp(tx: Tx, tenantId: string, id: string, now: Date): Promise<{ lane: string | null } | undefined> {
  const waited = await tx
    .deleteFrom("delivery_due")
    .where("tenant_id", "=", tenantId)
    .where("delivery_id", "=", id)
    .where((is) => is.or([is("lease_until", "is", null), is("lease_until", "<=", now)]))
    .returning("lane")
    .executeTakeFirst();
  if (!waited) return undefined;
  await tx
    .updateTable("delivery")
    .set({ state: "SKIPPED", completed_at: now })
    .where("tenant_id", "=", tenantId)
    .where("id", "=", id)
    .execute();
  return waited;
}

function whyNot({ state }: DeliveryRow): string {
  if (state === "PENDING") return "it is being sent this moment; try again in a moment, or pause its endpoint first";
  return `a delivery that is ${state.toLowerCase()} is over`;
}
