import { create } from "@bufbuild/protobuf";
import { EndpointSchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import {
  type PauseEndpointRequest,
  PauseEndpointResponseSchema,
  type ResumeEndpointRequest,
  ResumeEndpointResponseSchema,
} from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { leaveWork, type Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { getEndpoint, toEndpoint } from "./endpoint.ts";
import { forgetFailures } from "./endpoint-health.ts";

/** Pauses an endpoint. Deliveries are made for it as before, and no worker claims them. */
export function pauseEndpoint(app: App, caller: Caller, request: PauseEndpointRequest) {
  return change(app, caller, PauseEndpointResponseSchema, async (tx) => {
    const row = await getEndpoint(tx, caller.tenantId, request.id, "lock");
    noteBefore(tx, EndpointSchema, toEndpoint(row));
    const pausedAt = row.paused_at ?? app.clock.now();
    return create(PauseEndpointResponseSchema, { endpoint: await setPaused(tx, caller.tenantId, row.id, pausedAt) });
  });
}

/** Resumes an endpoint that was paused or disabled, and forgets how it failed. What waited for it is claimed next. */
export function resumeEndpoint(app: App, caller: Caller, request: ResumeEndpointRequest) {
  return change(app, caller, ResumeEndpointResponseSchema, async (tx) => {
    const row = await getEndpoint(tx, caller.tenantId, request.id, "lock");
    noteBefore(tx, EndpointSchema, toEndpoint(row));
    const { id } = row;
    await enable(tx, caller.tenantId, id);
    await forgetFailures(tx, caller.tenantId, id);
    leaveWork(tx, "deliver");
    return create(ResumeEndpointResponseSchema, { endpoint: await setPaused(tx, caller.tenantId, id, null) });
  });
}

async function enable(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx
    .updateTable("endpoint")
    .set({ disabled_at: null, disabled_reason: "" })
    .where("tenant_id", "=", tenantId)
    .where("id", "=", id)
    .execute();
}

async function setPaused(tx: Tx, tenantId: string, id: string, pausedAt: Date | null) {
  const row = await tx
    .updateTable("endpoint")
    .set({ paused_at: pausedAt })
    .where("tenant_id", "=", tenantId)
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return toEndpoint(row);
}
