import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  GetCreditNoteResponseSchema,
  GetInvoiceResponseSchema,
  type InvoiceService,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import type { SubscriptionBillingMethods } from "../pricing/service.ts";
import { callerOf } from "../rpc/caller.ts";
import type { Streams } from "../rpc/streams.ts";
import type { CustomerBillingMethods } from "../tenant/service.ts";
import type { UsageBillingMethods } from "../usage/service.ts";
import { changeSubscription } from "./change-subscription.ts";
import { createCreditGrant } from "./create-credit-grant.ts";
import { createCreditNote } from "./create-credit-note.ts";
import { listCreditGrants } from "./credit.ts";
import { listCreditEntries } from "./credit-entry.ts";
import { getCreditNote, listCreditNotes } from "./credit-note.ts";
import { endSubscription } from "./end-subscription.ts";
import { eraseCustomer } from "./erase-customer.ts";
import { explainUsageEvent } from "./explain-usage-event.ts";
import { exportInvoiceLines } from "./export-invoice-lines.ts";
import { exportInvoices } from "./export-invoices.ts";
import { finalizeInvoice } from "./finalize-invoice.ts";
import { getInvoice, listInvoices } from "./invoice.ts";
import { listUnbilledUsage } from "./list-unbilled-usage.ts";
import { markInvoicePaid } from "./mark-invoice-paid.ts";
import { markInvoiceUncollectible } from "./mark-invoice-uncollectible.ts";
import { getOpenRevenue } from "./open-revenue.ts";
import { previewInvoice } from "./preview-invoice.ts";
import { revokeCreditGrant } from "./revoke-credit-grant.ts";
import { simulatePlan } from "./simulate-plan.ts";
import { verifyInvoice } from "./verify-invoice.ts";
import { voidInvoice } from "./void-invoice.ts";

/** InvoiceService: which file does what. */
export function invoiceService(app: App, streams: Streams): ServiceImpl<typeof InvoiceService> {
  return {
    getInvoice: ({ id }, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) =>
        create(GetInvoiceResponseSchema, { invoice: await getInvoice(tx, tenantId, id) }),
      );
    },
    listInvoices: (request, call) => listInvoices(app, callerOf(call).tenantId, request),
    previewInvoice: (request, call) => previewInvoice(app, callerOf(call).tenantId, request),
    verifyInvoice: ({ id }, call) => verifyInvoice(app, callerOf(call).tenantId, id),
    finalizeInvoice: (request, call) => finalizeInvoice(app, callerOf(call), request),
    markInvoicePaid: (request, call) => markInvoicePaid(app, callerOf(call), request),
    voidInvoice: (request, call) => voidInvoice(app, callerOf(call), request),
    markInvoiceUncollectible: (request, call) => markInvoiceUncollectible(app, callerOf(call), request),
    createCreditNote: (request, call) => createCreditNote(app, callerOf(call), request),
    getCreditNote: ({ id }, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) =>
        create(GetCreditNoteResponseSchema, { creditNote: await getCreditNote(tx, tenantId, id) }),
      );
    },
    listCreditNotes: (request, call) => listCreditNotes(app, callerOf(call).tenantId, request),
    createCreditGrant: (request, call) => createCreditGrant(app, callerOf(call), request),
    listCreditGrants: (request, call) => listCreditGrants(app, callerOf(call).tenantId, request),
    listCreditEntries: (request, call) => listCreditEntries(app, callerOf(call).tenantId, request),
    revokeCreditGrant: (request, call) => revokeCreditGrant(app, callerOf(call), request),
    getOpenRevenue: (request, call) => getOpenRevenue(app, callerOf(call).tenantId, request),
    simulatePlan: (request, call) => simulatePlan(app, callerOf(call).tenantId, request),
    exportInvoices: (request, call) =>
      streams.run(call, (ended) => exportInvoices(app, callerOf(call), request, ended)),
    exportInvoiceLines: (request, call) =>
      streams.run(call, (ended) => exportInvoiceLines(app, callerOf(call), request, ended)),
  };
}

/** The methods of PricingService that close periods: pricing itself knows nothing of invoices. */
export function subscriptionBillingMethods(app: App): SubscriptionBillingMethods {
  return {
    changeSubscription: (request, call) => changeSubscription(app, callerOf(call), request),
    endSubscription: (request, call) => endSubscription(app, callerOf(call), request),
  };
}

/** The methods of TenantService that ask what is still to be billed: a tenant's own files know nothing of invoices. */
export function customerBillingMethods(app: App): CustomerBillingMethods {
  return { eraseCustomer: (request, call) => eraseCustomer(app, callerOf(call), request) };
}

/** The methods of UsageService that ask what is billed: usage itself knows nothing of invoices. */
export function usageBillingMethods(app: App): UsageBillingMethods {
  return {
    explainUsageEvent: ({ idempotencyKey }, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, (tx) => explainUsageEvent(tx, tenantId, idempotencyKey));
    },
    listUnbilledUsage: (request, call) => listUnbilledUsage(app, callerOf(call).tenantId, request),
  };
}
