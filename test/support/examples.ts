import type { JsonObject } from "@bufbuild/protobuf";
import type { Lived } from "./lived-month.ts";

const MAY = { start: "2015-05-01T00:00:00Z", end: "2015-06-01T00:00:00Z" };

const fee = (key: string): JsonObject => ({
  ...{ key, currency: "USD", period: "PERIOD_MONTHLY" },
  prices: [{ key: "fee", flat: { amount: "1" } }],
});

/**
 * A good request for each method of the contract, as JSON, about things of the tenant that lived. One that names nothing of
 * the tenant is good for every tenant. A test says which methods have none.
 */
export const examples: Readonly<Record<string, (of: Lived) => JsonObject>> = {
  // TenantService
  GetTenant: () => ({}),
  UpdateTenant: () => ({ memo: "Thank you" }),
  AdvanceClock: () => ({ by: "1s" }),
  CreateApiKey: () => ({ name: "one more", role: "ROLE_INGEST" }),
  ListApiKeys: () => ({ pageSize: 1 }),
  RevokeApiKey: ({ apiKeyId }) => ({ id: apiKeyId }),
  RotateApiKey: ({ apiKeyId }) => ({ id: apiKeyId }),
  PutCustomer: () => ({ customer: { id: "new", name: "Ada" } }),
  GetCustomer: ({ customerId }) => ({ id: customerId }),
  ListCustomers: () => ({ pageSize: 1 }),
  ListAuditEntries: () => ({ pageSize: 1 }),
  TailAuditEntries: () => ({ afterSequence: "0" }),
  VerifyAudit: () => ({}),
  ExportAudit: () => ({}),
  // PricingService
  PushCatalog: () => ({ catalog: { plans: [fee("pushed")] }, force: true }),
  PullCatalog: () => ({}),
  GetPlan: ({ plan }) => ({ key: plan }),
  ListPlans: () => ({ pageSize: 1 }),
  PreviewPrice: () => ({ currency: "USD", price: { perUnit: { unitAmount: "0.1" } }, quantity: "10" }),
  StartSubscription: ({ plan, name }) => ({ customerId: `another_${name}`, plan }),
  ChangeSubscription: ({ subscriptionId }) => ({ id: subscriptionId, quantity: 2 }),
  EndSubscription: ({ subscriptionId }) => ({ id: subscriptionId, timing: "CHANGE_TIMING_PERIOD_END" }),
  ResumeSubscription: ({ subscriptionId }) => ({ id: subscriptionId }),
  SetSpendThresholds: ({ subscriptionId }) => ({ id: subscriptionId, amounts: ["5"] }),
  GetSubscription: ({ subscriptionId }) => ({ id: subscriptionId }),
  CreateDiscount: ({ subscriptionId }) => ({ subscriptionId, name: "offer", percent: "10", periods: 1 }),
  ListDiscounts: () => ({ pageSize: 1 }),
  EndDiscount: ({ discountId }) => ({ id: discountId }),
  ListSubscriptions: () => ({ pageSize: 1 }),
  // UsageService
  TrackUsage: ({ metric, customerId }) => ({ events: [{ metric, amount: "1", customerId }] }),
  VoidUsage: ({ usageKey }) => ({ idempotencyKeys: [usageKey], reason: "a mistake" }),
  GetUsage: ({ metric }) => ({ metric, ...MAY, interval: "USAGE_INTERVAL_DAY" }),
  ListUsageEvents: () => ({ pageSize: 1 }),
  ExplainUsageEvent: ({ usageKey }) => ({ idempotencyKey: usageKey }),
  ListUnbilledUsage: () => ({ pageSize: 1 }),
  GetUsageRate: () => ({}),
  // InvoiceService
  GetInvoice: ({ invoiceId }) => ({ id: invoiceId }),
  ListInvoices: () => ({ pageSize: 1 }),
  PreviewInvoice: ({ subscriptionId }) => ({ subscriptionId }),
  VerifyInvoice: ({ invoiceId }) => ({ id: invoiceId }),
  FinalizeInvoice: ({ invoiceId }) => ({ id: invoiceId }),
  MarkInvoicePaid: ({ otherInvoiceId }) => ({ id: otherInvoiceId }),
  VoidInvoice: ({ invoiceId }) => ({ id: invoiceId, reason: "a mistake" }),
  CreateCreditGrant: ({ customerId }) => ({ customerId, currency: "USD", amount: "5" }),
  ListCreditGrants: () => ({ pageSize: 1 }),
  ListCreditEntries: () => ({ pageSize: 1 }),
  RevokeCreditGrant: ({ creditGrantId }) => ({ id: creditGrantId, reason: "a mistake" }),
  MarkInvoiceUncollectible: ({ invoiceId }) => ({ id: invoiceId, reason: "gone" }),
  SimulatePlan: ({ plan }) => ({ published: { key: plan } }),
  CreateCreditNote: ({ invoiceId }) => ({ invoiceId, amountMinor: "1", reason: "a mistake" }),
  GetCreditNote: ({ creditNoteId }) => ({ id: creditNoteId }),
  ListCreditNotes: () => ({ pageSize: 1 }),
  GetOpenRevenue: () => ({ pageSize: 1 }),
  // WebhookService
  CreateEndpoint: () => ({ url: "http://localhost:1/", description: "one more" }),
  GetEndpoint: ({ endpointId }) => ({ id: endpointId }),
  ListEndpoints: () => ({ pageSize: 1 }),
  UpdateEndpoint: ({ endpointId }) => ({ id: endpointId, url: "http://localhost:1/" }),
  DeleteEndpoint: ({ endpointId }) => ({ id: endpointId }),
  PauseEndpoint: ({ endpointId }) => ({ id: endpointId }),
  ResumeEndpoint: ({ endpointId }) => ({ id: endpointId }),
  RotateEndpointSecret: ({ endpointId }) => ({ id: endpointId }),
  ListEventTypes: () => ({}),
  GetDelivery: ({ deliveryId }) => ({ id: deliveryId }),
  ListDeliveries: () => ({ pageSize: 1 }),
  RetryDelivery: ({ deliveryId }) => ({ id: deliveryId }),
  GetEvent: ({ eventId }) => ({ id: eventId }),
  ListEvents: () => ({ pageSize: 1 }),
  ResendEvent: ({ eventId, endpointId }) => ({ eventId, endpointId }),
  SendTestEvent: ({ endpointId }) => ({ endpointId }),
  CreateReplay: ({ endpointId }) => ({ endpointId }),
  GetReplay: ({ replayId }) => ({ id: replayId }),
  ListReplays: () => ({ pageSize: 1 }),
  CancelReplay: ({ replayId }) => ({ id: replayId }),
  SkipDelivery: ({ deliveryId }) => ({ id: deliveryId }),
  Listen: ({ name }) => ({ name: `laptop_${name}`, client: "laptop 1", takeOver: true }),
  AcknowledgeDelivery: ({ deliveryId }) => ({ deliveryId, attempt: 1, client: "laptop 1", status: 200 }),
  TailDeliveries: ({ endpointId }) => ({ endpointId, last: 1000 }),
  GetDeliveryActivity: () => ({}),
};
