import { create, toJson } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { PartySchema, TenantSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type UpdateTenantRequest, UpdateTenantResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { getTenant } from "./tenant.ts";
import { knownTimeZone } from "./time-zone.ts";

/** Changes the settings that the request gives. */
export function updateTenant(app: App, caller: Caller, request: UpdateTenantRequest) {
  const { tenantId } = caller;
  const settings = {
    ...(request.gracePeriod ? { grace_period_s: wholeSeconds(request.gracePeriod) } : {}),
    ...(request.backfillWindow ? { backfill_window_s: wholeSeconds(request.backfillWindow) } : {}),
    ...(request.invoicePrefix ? { invoice_prefix: request.invoicePrefix } : {}),
    ...(request.timeZone ? { time_zone: knownTimeZone("time_zone", request.timeZone) } : {}),
    ...(request.seller ? { seller: JSON.stringify(toJson(PartySchema, request.seller)) } : {}),
    ...(request.paymentTermsDays !== undefined ? { payment_terms_days: request.paymentTermsDays } : {}),
    ...(request.memo !== undefined ? { memo: request.memo } : {}),
  };
  return change(app, caller, UpdateTenantResponseSchema, async (tx) => {
    const before = await getTenant(app, tx, tenantId);
    if (Object.keys(settings).length > 0) {
      await tx.updateTable("tenant").set(settings).where("tenant_id", "=", tenantId).execute();
    }
    const tenant = await getTenant(app, tx, tenantId);
    noteBefore(tx, TenantSchema, Object.assign(before, { clock: tenant.clock })); // the time went on, and nobody moved it
    return create(UpdateTenantResponseSchema, { tenant });
  });
}

function wholeSeconds(duration: Duration): number {
  return Number(duration.seconds);
}
