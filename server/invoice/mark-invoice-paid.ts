import { create } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type MarkInvoicePaidRequest,
  MarkInvoicePaidResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { invalid } from "../rpc/errors.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { moveInvoice } from "./move-invoice.ts";

/** Notes that an invoice was paid. */
export function markInvoicePaid(app: App, caller: Caller, request: MarkInvoicePaidRequest) {
  return change(app, caller, MarkInvoicePaidResponseSchema, async (tx) => {
    const now = await tenantNow(tx, caller.tenantId, app.clock);
    const paidAt = request.paidAt ? timestampDate(request.paidAt) : now;
    if (paidAt > now) throw invalid("paid_at", `lies ahead of the tenant's clock, which shows ${now.toISOString()}`);
    const move = { to: "PAID", at: now, note: request.reference, paidAt } as const;
    return create(MarkInvoicePaidResponseSchema, { invoice: await moveInvoice(tx, caller, request.id, move) });
  });
}
