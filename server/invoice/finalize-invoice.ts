import { create } from "@bufbuild/protobuf";
import { InvoiceSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import {
  type FinalizeInvoiceRequest,
  FinalizeInvoiceResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { stateConflict } from "../rpc/errors.ts";
import { holdDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { hasPendingUsage } from "../usage/pending-usage.ts";
import { lockProgress } from "../usage/usage-progress.ts";
import { finalizeDrafts } from "./finalize-drafts.ts";
import { getInvoice, getInvoiceRow, type InvoiceRow } from "./invoice.ts";

/** Finalizes one draft before its time, as the worker's step does when it has come. */
export function finalizeInvoice(app: App, caller: Caller, { id }: FinalizeInvoiceRequest) {
  const { tenantId, keyId } = caller;
  return change(app, caller, FinalizeInvoiceResponseSchema, async (tx) => {
    await lockProgress(tx, tenantId);
    // A worker may be at the same draft. What is due stays as it is: the worker's next step finds what is left to do.
    await holdDue(tx, tenantId, "FINALIZE_INVOICES");
    const invoice = await getInvoiceRow(tx, tenantId, id);
    noteBefore(tx, InvoiceSchema, await getInvoice(tx, tenantId, id));
    if (invoice.state === "DRAFT") {
      const now = await tenantNow(tx, tenantId, app.clock);
      await checkEnded(tx, invoice, now);
      await finalizeDrafts(tx, tenantId, [invoice], { now, keyId });
    } else if (invoice.state !== "FINALIZED") {
      throw stateConflict(`invoice "${id}" is ${invoice.state}; only a draft can be finalized`);
    }
    return create(FinalizeInvoiceResponseSchema, { invoice: await getInvoice(tx, tenantId, id) });
  });
}

/** Refuses while usage can still come about, or is on its way: it would be missing on the invoice for good. */
async function checkEnded(tx: Tx, invoice: InvoiceRow, now: Date): Promise<void> {
  if (invoice.kind === "IN_ADVANCE") return; // does not depend on usage
  const { tenant_id, customer_id, kind, period_start, period_end } = invoice;
  // An adjustment is of what was final before, also if that was in advance, of a period that goes on.
  if (kind !== "ADJUSTMENT" && period_end > now) {
    throw stateConflict(`the invoice's period ends at ${period_end.toISOString()}, and has not ended`);
  }
  if (await hasPendingUsage(tx, tenant_id, { customerId: customer_id, start: period_start, end: period_end })) {
    throw stateConflict("usage of the invoice's period is just being counted; try again in a moment");
  }
}
