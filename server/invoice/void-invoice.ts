import { create } from "@bufbuild/protobuf";
import { type VoidInvoiceRequest, VoidInvoiceResponseSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { moveInvoice } from "./move-invoice.ts";

/** Voids an invoice. Its period is not billed anew. */
export function voidInvoice(app: App, caller: Caller, { id, reason }: VoidInvoiceRequest) {
  return change(app, caller, VoidInvoiceResponseSchema, async (tx) => {
    const at = await tenantNow(tx, caller.tenantId, app.clock);
    const invoice = await moveInvoice(tx, caller, id, { to: "VOID", at, note: reason });
    return create(VoidInvoiceResponseSchema, { invoice });
  });
}
