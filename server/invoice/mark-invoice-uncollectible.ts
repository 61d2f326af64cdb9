import { create } from "@bufbuild/protobuf";
import {
  type MarkInvoiceUncollectibleRequest,
  MarkInvoiceUncollectibleResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { moveInvoice } from "./move-invoice.ts";

/** Notes that an invoice is not expected to be paid. */
export function markInvoiceUncollectible(app: App, caller: Caller, { id, reason }: MarkInvoiceUncollectibleRequest) {
  return change(app, caller, MarkInvoiceUncollectibleResponseSchema, async (tx) => {
    const at = await tenantNow(tx, caller.tenantId, app.clock);
    const invoice = await moveInvoice(tx, caller, id, { to: "UNCOLLECTIBLE", at, note: reason });
    return create(MarkInvoiceUncollectibleResponseSchema, { invoice });
  });
}
