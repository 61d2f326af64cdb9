import { create } from "@bufbuild/protobuf";
import { ReplaySchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type CancelReplayRequest, CancelReplayResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { getReplayRow, toReplay } from "./replay.ts";

/** Stops a replay that is under way. What it handed over is sent. */
export function cancelReplay(app: App, caller: Caller, request: CancelReplayRequest) {
  const { tenantId } = caller;
  return change(app, caller, CancelReplayResponseSchema, async (tx) => {
    const row = await getReplayRow(tx, tenantId, request.id);
    noteBefore(tx, ReplaySchema, toReplay(row));
    const { id } = row;
    await tx
      .updateTable("replay")
      .set({ state: "CANCELLED", completed_at: app.clock.now() })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", id)
      .where("state", "=", "RUNNING")
      .execute();
    const replay = toReplay(await getReplayRow(tx, tenantId, request.id));
    return create(CancelReplayResponseSchema, { replay });
  });
}
