import { create } from "@bufbuild/protobuf";
import { type PreviewInvoiceRequest, PreviewInvoiceResponseSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { getPlan } from "../pricing/plan.ts";
import { getSubscription, type SubscriptionRow } from "../pricing/subscription.ts";
import { notFound, stateConflict } from "../rpc/errors.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { type BillingDetails, detailsOfDrafts } from "./billing-details.ts";
import { arrearsDraft } from "./draft.ts";
import { linesOfDrafts } from "./draft-invoice-lines.ts";
import { toInvoice } from "./invoice.ts";
import type { Settlement } from "./settlement.ts";

/** What closing the open period of a subscription would make of it now. Stores nothing. */
export function previewInvoice(app: App, tenantId: string, { subject }: PreviewInvoiceRequest) {
  return inTenant(app.db, tenantId, async (tx) => {
    const subscription = await openSubscription(tx, tenantId, subject);
    if (subscription.period_start >= subscription.period_end) {
      throw stateConflict("the subscription ends with its trial: nothing will be invoiced");
    }
    const plan = await getPlan(tx, tenantId, subscription.plan_key, subscription.plan_version);
    const now = await tenantNow(tx, tenantId, app.clock);
    const draft = arrearsDraft(subscription, plan, now, await gracePeriodMs(tx, tenantId));
    const { settlements, foldNumber } = await linesOfDrafts(tx, tenantId, [draft]);
    const [details] = await detailsOfDrafts(tx, tenantId, [draft]);
    const invoice = { ...toInvoice(draft, settlements[0] as Settlement, details as BillingDetails), id: "" };
    return create(PreviewInvoiceResponseSchema, { invoice, usageFold: foldNumber });
  });
}

async function openSubscription(
  tx: Tx,
  tenantId: string,
  subject: PreviewInvoiceRequest["subject"],
): Promise<SubscriptionRow> {
  if (subject.case === "customerId") return onlySubscription(tx, tenantId, subject.value);
  const subscription = await getSubscription(tx, tenantId, subject.value ?? "");
  if (subscription.due_at === null) throw stateConflict(`subscription "${subject.value}" is over, and all is invoiced`);
  return subscription;
}

async function onlySubscription(tx: Tx, tenantId: string, customerId: string): Promise<SubscriptionRow> {
  const rows = await tx
    .selectFrom("subscription")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("customer_id", "=", customerId)
    .where("due_at", "is not", null)
    .orderBy("id")
    .execute();
  const [first] = rows;
  if (!first) throw notFound("subscription that goes on of the customer", customerId);
  if (rows.length === 1) return first;
  const ids = rows.map((row) => `${formatId("sub", row.id)} (${row.plan_key})`).join(", ");
  throw stateConflict(`customer "${customerId}" has several subscriptions; name one of them: ${ids}`);
}
