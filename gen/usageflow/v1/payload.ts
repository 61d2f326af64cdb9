// Made of the contract by proto/payloads.ts: what webhooks carry, as proto3 JSON.

/**
 * The facts of an event: the one field that belongs to its type.
 *
 * @generated from message usageflow.v1.EventData
 */
export interface EventDataPayload {
  /**
   * `invoice.created`, `invoice.finalized`, `invoice.paid`, `invoice.voided` and `invoice.uncollectible`: the invoice, as
   * GetInvoice answers it at that moment.
   *
   * @generated from field: usageflow.v1.Invoice invoice = 1;
   */
  invoice?: InvoicePayload;
  /**
   * `subscription.started`, `subscription.changed` and `subscription.ended`: the subscription, as GetSubscription answers
   * it at that moment. A change or an end that is to come is told of when it takes effect.
   *
   * @generated from field: usageflow.v1.Subscription subscription = 2;
   */
  subscription?: SubscriptionPayload;
  /**
   * `credit.granted`: the grant. `credit.depleted`: the grant of which nothing is left, because it was drawn, or it expired,
   * or it was revoked.
   *
   * @generated from field: usageflow.v1.CreditGrant credit_grant = 3;
   */
  creditGrant?: CreditGrantPayload;
  /**
   * `customer.created`: the customer, as it was first seen or made.
   *
   * @generated from field: usageflow.v1.Customer customer = 4;
   */
  customer?: CustomerPayload;
  /**
   * `credit_note.created`: the credit note.
   *
   * @generated from field: usageflow.v1.CreditNote credit_note = 5;
   */
  creditNote?: CreditNotePayload;
  /**
   * `usage.threshold_reached`: the threshold, and what reached it.
   *
   * @generated from field: usageflow.v1.ThresholdReached threshold = 6;
   */
  threshold?: ThresholdReachedPayload;
  /**
   * `webhook.test`: what was asked for with SendTestEvent. Nothing happened.
   *
   * @generated from field: usageflow.v1.WebhookTest test = 15;
   */
  test?: WebhookTestPayload;
  /**
   * `endpoint.disabled` and `endpoint.recovered`: the endpoint. It is not told that it was disabled itself.
   *
   * @generated from field: usageflow.v1.Endpoint endpoint = 10;
   */
  endpoint?: EndpointPayload;
  /**
   * `delivery.exhausted`: the delivery, without its attempts. Its own endpoint is not told.
   *
   * @generated from field: usageflow.v1.Delivery delivery = 11;
   */
  delivery?: DeliveryPayload;
}

/**
 * The bill for one subscription and one period.
 *
 * @generated from message usageflow.v1.Invoice
 */
export interface InvoicePayload {
  /**
   * `inv_` and an opaque part.
   *
   * @generated from field: string id = 1;
   */
  id: string;
  /**
   * Gapless per tenant in the order of finalization, such as `INV-000042`: the tenant's `invoice_prefix` of that moment, and
   * six digits or more. Empty while a draft.
   *
   * @generated from field: string number = 2;
   */
  number: string;
  /**
   * The customer who owes it.
   *
   * @generated from field: string customer_id = 3;
   */
  customerId: string;
  /**
   * Where it is in its life.
   *
   * @generated from field: usageflow.v1.InvoiceState state = 4;
   */
  state: InvoiceStatePayload;
  /**
   * ISO 4217 code.
   *
   * @generated from field: string currency = 5;
   */
  currency: string;
  /**
   * What is owed: the sum of the lines, in minor units of the currency (cents). Never less than 0.
   *
   * @generated from field: int64 total_minor = 6;
   */
  totalMinor: string;
  /**
   * Start of the period, included.
   *
   * @generated from field: google.protobuf.Timestamp period_start = 7;
   */
  periodStart?: string;
  /**
   * End of the period, not included.
   *
   * @generated from field: google.protobuf.Timestamp period_end = 8;
   */
  periodEnd?: string;
  /**
   * The lines: the charges, one for each price or each of its groups, in the order of the plan; the true-up to the plan's
   * minimum, if one is owed; one for each earlier period of the subscription that costs otherwise now. Then discounts; then
   * tax on what is left; then credit.
   *
   * @generated from field: repeated usageflow.v1.InvoiceLine lines = 9;
   */
  lines: InvoiceLinePayload[];
  /**
   * The subscription.
   *
   * @generated from field: string subscription_id = 10;
   */
  subscriptionId: string;
  /**
   * Key of the plan.
   *
   * @generated from field: string plan = 11;
   */
  plan: string;
  /**
   * Version of the plan.
   *
   * @generated from field: int32 plan_version = 12;
   */
  planVersion: number;
  /**
   * What it bills.
   *
   * @generated from field: usageflow.v1.InvoiceKind kind = 13;
   */
  kind: InvoiceKindPayload;
  /**
   * When the draft was made, in the tenant's time.
   *
   * @generated from field: google.protobuf.Timestamp created_at = 14;
   */
  createdAt?: string;
  /**
   * When it was finalized, in the tenant's time. Absent while a draft.
   *
   * @generated from field: google.protobuf.Timestamp finalized_at = 15;
   */
  finalizedAt?: string;
  /**
   * When a draft will be finalized. In arrears: the period's end and the grace period. In advance: the period's start.
   * An adjustment: when it was made and the grace period.
   *
   * @generated from field: google.protobuf.Timestamp finalize_at = 16;
   */
  finalizeAt?: string;
  /**
   * Every change of its state, first one first. None while a draft.
   *
   * @generated from field: repeated usageflow.v1.InvoiceChange changes = 17;
   */
  changes: InvoiceChangePayload[];
  /**
   * What the charges come to, before discounts, tax and credit. All these are in minor units, and
   * `total_minor` is `subtotal_minor` - `discount_minor` + `tax_minor` - `credit_minor`.
   *
   * @generated from field: int64 subtotal_minor = 18;
   */
  subtotalMinor: string;
  /**
   * What discounts take off. Negative: charges were taken back, and with them what was taken off.
   *
   * @generated from field: int64 discount_minor = 19;
   */
  discountMinor: string;
  /**
   * The tax that is added: of exclusive rates. Negative where charges were taken back.
   *
   * @generated from field: int64 tax_minor = 20;
   */
  taxMinor: string;
  /**
   * What was paid with credits of the customer. Negative: the invoice came to less than nothing, and granted so much.
   *
   * A draft shows what it would draw if it were finalized when its time comes, of the credits as they are now. Of several
   * drafts of a customer the first to be finalized draws first. An invoice of which credits pay all is FINALIZED like any
   * other, with a total of 0: marking it as paid is the tenant's.
   *
   * @generated from field: int64 credit_minor = 21;
   */
  creditMinor: string;
  /**
   * The tax by rate: added or contained. The rates are the customer's of the moment of finalization.
   *
   * @generated from field: repeated usageflow.v1.InvoiceTax taxes = 22;
   */
  taxes: InvoiceTaxPayload[];
  /**
   * Who sells. This and the four fields after it: a draft shows them as they are now, a finalized invoice as they were
   * when it was finalized.
   *
   * @generated from field: usageflow.v1.Party seller = 23;
   */
  seller?: PartyPayload;
  /**
   * Who buys. Its name is the customer's, where the billing details have none.
   *
   * @generated from field: usageflow.v1.Party buyer = 24;
   */
  buyer?: PartyPayload;
  /**
   * The customer's purchase order. May be empty.
   *
   * @generated from field: string purchase_order = 25;
   */
  purchaseOrder: string;
  /**
   * When it is due: `finalized_at` and the days of the payment terms, each of 24 hours. For a draft `finalize_at` and the
   * days. Absent on invoices from before there were payment terms.
   *
   * @generated from field: google.protobuf.Timestamp due_at = 26;
   */
  dueAt?: string;
  /**
   * The text at its foot. May be empty.
   *
   * @generated from field: string memo = 27;
   */
  memo: string;
  /**
   * What credit notes took back of it, tax included, in minor units. As long as it is not paid, `total_minor` less this is
   * owed, and nothing when that is less than 0.
   *
   * @generated from field: int64 credited_minor = 28;
   */
  creditedMinor: string;
  /**
   * Start of the full period that the period is all of, or a part of: then fees and minimum amounts are its share.
   *
   * @generated from field: google.protobuf.Timestamp full_period_start = 29;
   */
  fullPeriodStart?: string;
  /**
   * End of the full period.
   *
   * @generated from field: google.protobuf.Timestamp full_period_end = 30;
   */
  fullPeriodEnd?: string;
  /**
   * IANA name of the time zone of its subscription: the days of the period, of `finalized_at` and of `due_at` are those of
   * this zone.
   *
   * @generated from field: string time_zone = 31;
   */
  timeZone: string;
}

/**
 * A customer on a plan version.
 *
 * @generated from message usageflow.v1.Subscription
 */
export interface SubscriptionPayload {
  /**
   * `sub_` and an opaque part.
   *
   * @generated from field: string id = 1;
   */
  id: string;
  /**
   * The customer.
   *
   * @generated from field: string customer_id = 2;
   */
  customerId: string;
  /**
   * Key of the plan.
   *
   * @generated from field: string plan = 3;
   */
  plan: string;
  /**
   * Version of the plan.
   *
   * @generated from field: int32 plan_version = 4;
   */
  planVersion: number;
  /**
   * When it began.
   *
   * @generated from field: google.protobuf.Timestamp started_at = 5;
   */
  startedAt?: string;
  /**
   * When it ends or ended. Absent: it goes on.
   *
   * @generated from field: google.protobuf.Timestamp ends_at = 6;
   */
  endsAt?: string;
  /**
   * Start of the open period, included. Equals its end when the subscription is over and all is billed. In a trial it lies
   * ahead: the first period begins where the trial ends.
   *
   * @generated from field: google.protobuf.Timestamp period_start = 7;
   */
  periodStart?: string;
  /**
   * End of the open period, not included.
   *
   * @generated from field: google.protobuf.Timestamp period_end = 8;
   */
  periodEnd?: string;
  /**
   * Where its trial ends or ended: nothing before is charged. Absent: it has none.
   *
   * @generated from field: google.protobuf.Timestamp trial_ends_at = 9;
   */
  trialEndsAt?: string;
  /**
   * What its periods are counted from. Absent for calendar periods.
   *
   * @generated from field: google.protobuf.Timestamp anchor = 10;
   */
  anchor?: string;
  /**
   * IANA name of the time zone that its periods are counted in: the tenant's when it started.
   *
   * @generated from field: string time_zone = 11;
   */
  timeZone: string;
  /**
   * Seats: prices with `per_seat` are owed for each.
   *
   * @generated from field: int32 quantity = 12;
   */
  quantity: number;
  /**
   * Key of the plan that it moves to when the open period ends. Empty: it stays on its plan.
   *
   * @generated from field: string next_plan = 13;
   */
  nextPlan: string;
  /**
   * Version of that plan. 0: it stays.
   *
   * @generated from field: int32 next_plan_version = 14;
   */
  nextPlanVersion: number;
  /**
   * Seats that it has from the end of the open period on. 0: as many as now.
   *
   * @generated from field: int32 next_quantity = 15;
   */
  nextQuantity: number;
  /**
   * Amounts of spending that are told of, growing: see SetSpendThresholds.
   *
   * @generated from field: repeated string spend_thresholds = 16;
   */
  spendThresholds: string[];
}

/**
 * Money that a customer has with the tenant. It pays for invoices of its currency when they are finalized: those of lower
 * `priority` first, then what expires first, then the oldest.
 *
 * @generated from message usageflow.v1.CreditGrant
 */
export interface CreditGrantPayload {
  /**
   * `crg_` and an opaque part.
   *
   * @generated from field: string id = 1;
   */
  id: string;
  /**
   * The customer.
   *
   * @generated from field: string customer_id = 2;
   */
  customerId: string;
  /**
   * ISO 4217 code. Only invoices in this currency draw it.
   *
   * @generated from field: string currency = 3;
   */
  currency: string;
  /**
   * What was granted, in minor units of the currency (cents).
   *
   * @generated from field: int64 amount_minor = 4;
   */
  amountMinor: string;
  /**
   * What is left of it, in minor units. The sum of its entries.
   *
   * @generated from field: int64 remaining_minor = 5;
   */
  remainingMinor: string;
  /**
   * Where it comes from.
   *
   * @generated from field: usageflow.v1.CreditSource source = 6;
   */
  source: CreditSourcePayload;
  /**
   * 1 to 100: lower ones are drawn first.
   *
   * @generated from field: int32 priority = 7;
   */
  priority: number;
  /**
   * When what is left of it goes, in the tenant's time. Absent: never.
   *
   * @generated from field: google.protobuf.Timestamp expires_at = 8;
   */
  expiresAt?: string;
  /**
   * What it is, for people. May be empty.
   *
   * @generated from field: string note = 9;
   */
  note: string;
  /**
   * The invoice that it comes from, `inv_...`. Empty when it comes from none.
   *
   * @generated from field: string invoice_id = 10;
   */
  invoiceId: string;
  /**
   * When it was granted, in the tenant's time.
   *
   * @generated from field: google.protobuf.Timestamp created_at = 11;
   */
  createdAt?: string;
  /**
   * When what was left of it was taken back. Absent: it was not.
   *
   * @generated from field: google.protobuf.Timestamp revoked_at = 12;
   */
  revokedAt?: string;
}

/**
 * A tenant's own customer: the one whose usage is counted and who gets the invoice.
 *
 * @generated from message usageflow.v1.Customer
 */
export interface CustomerPayload {
  /**
   * The tenant's id for it, such as `user_123`. 1 to 255 characters, no control characters.
   *
   * @generated from field: string id = 1;
   */
  id: string;
  /**
   * A name for people, at most 255 characters. Empty when not known.
   *
   * @generated from field: string name = 2;
   */
  name: string;
  /**
   * When it was first seen, in the tenant's time. Set by the server.
   *
   * @generated from field: google.protobuf.Timestamp created_at = 3;
   */
  createdAt?: string;
  /**
   * The taxes on its invoices, at most 10. Invoices that are final keep those that they were made with.
   *
   * @generated from field: repeated usageflow.v1.TaxRate tax_rates = 4;
   */
  taxRates: TaxRatePayload[];
  /**
   * What its invoices say besides what they bill. A finalized invoice keeps what it says.
   *
   * @generated from field: usageflow.v1.Billing billing = 5;
   */
  billing?: BillingPayload;
  /**
   * When its personal data was erased, in real time. Absent: it was not, or it was put again since. Set by the server.
   *
   * @generated from field: google.protobuf.Timestamp erased_at = 6;
   */
  erasedAt?: string;
  /**
   * True while an erasure still looks for copies of that data, else absent. Set by the server.
   *
   * @generated from field: optional bool erasing = 7;
   */
  erasing?: boolean;
}

/**
 * A document that takes an invoice back, wholly or in part. The invoice stays as it is. Never changed.
 *
 * Vendors differ in what may be taken back. Here it is all that the invoice was settled with: its total, tax included, and
 * the credit that it drew. Notes take from the total first, and from the drawn credit after that, which comes back as
 * credit. As long as the invoice is not paid, what they take from the total is simply not owed any more; once it is paid,
 * `settlement` says what becomes of it.
 *
 * @generated from message usageflow.v1.CreditNote
 */
export interface CreditNotePayload {
  /**
   * `crn_` and an opaque part.
   *
   * @generated from field: string id = 1;
   */
  id: string;
  /**
   * Gapless per tenant, such as `CN-000042`.
   *
   * @generated from field: string number = 2;
   */
  number: string;
  /**
   * The invoice, `inv_...`.
   *
   * @generated from field: string invoice_id = 3;
   */
  invoiceId: string;
  /**
   * Number of the invoice.
   *
   * @generated from field: string invoice_number = 4;
   */
  invoiceNumber: string;
  /**
   * The customer.
   *
   * @generated from field: string customer_id = 5;
   */
  customerId: string;
  /**
   * ISO 4217 code of the invoice's currency.
   *
   * @generated from field: string currency = 6;
   */
  currency: string;
  /**
   * What it takes back, tax included, in minor units.
   *
   * @generated from field: int64 amount_minor = 7;
   */
  amountMinor: string;
  /**
   * The tax in it, in minor units: the invoice's tax by the share that is taken back. All notes of an invoice together take
   * back its tax to the last minor unit.
   *
   * @generated from field: int64 tax_minor = 8;
   */
  taxMinor: string;
  /**
   * By how much less is owed for the invoice. This and the two after it add up to `amount_minor`.
   *
   * @generated from field: int64 due_reduced_minor = 9;
   */
  dueReducedMinor: string;
  /**
   * What the customer got as credit.
   *
   * @generated from field: int64 credited_minor = 10;
   */
  creditedMinor: string;
  /**
   * What is paid back outside of UsageFlow.
   *
   * @generated from field: int64 refunded_minor = 11;
   */
  refundedMinor: string;
  /**
   * What was asked for.
   *
   * @generated from field: usageflow.v1.CreditNoteSettlement settlement = 12;
   */
  settlement: CreditNoteSettlementPayload;
  /**
   * The lines that it takes back, when it was made by lines.
   *
   * @generated from field: repeated usageflow.v1.CreditNoteLine lines = 13;
   */
  lines: CreditNoteLinePayload[];
  /**
   * Why.
   *
   * @generated from field: string reason = 14;
   */
  reason: string;
  /**
   * When it was made, in the tenant's time.
   *
   * @generated from field: google.protobuf.Timestamp created_at = 15;
   */
  createdAt?: string;
  /**
   * Who asked for it: the API key, `key_...`, or the member, `mem_...`.
   *
   * @generated from field: string key_id = 16;
   */
  keyId: string;
}

/**
 * Spending that has reached a threshold of its subscription: see SetSpendThresholds.
 *
 * @generated from message usageflow.v1.ThresholdReached
 */
export interface ThresholdReachedPayload {
  /**
   * The subscription, `sub_...`.
   *
   * @generated from field: string subscription_id = 1;
   */
  subscriptionId: string;
  /**
   * The customer.
   *
   * @generated from field: string customer_id = 2;
   */
  customerId: string;
  /**
   * Key of the plan.
   *
   * @generated from field: string plan = 3;
   */
  plan: string;
  /**
   * Version of the plan.
   *
   * @generated from field: int32 plan_version = 4;
   */
  planVersion: number;
  /**
   * Start of the period, included.
   *
   * @generated from field: google.protobuf.Timestamp period_start = 5;
   */
  periodStart?: string;
  /**
   * End of the period, not included.
   *
   * @generated from field: google.protobuf.Timestamp period_end = 6;
   */
  periodEnd?: string;
  /**
   * ISO 4217 code of the currency of both amounts.
   *
   * @generated from field: string currency = 7;
   */
  currency: string;
  /**
   * The threshold, in major units, as a decimal.
   *
   * @generated from field: string threshold_amount = 8;
   */
  thresholdAmount: string;
  /**
   * What the usage of the period comes to by now, in minor units: as much as the threshold, or more.
   *
   * @generated from field: int64 amount_minor = 9;
   */
  amountMinor: string;
}

/**
 * A test of an endpoint: see SendTestEvent.
 *
 * @generated from message usageflow.v1.WebhookTest
 */
export interface WebhookTestPayload {
  /**
   * The endpoint that is tried out, `whe_...`.
   *
   * @generated from field: string endpoint_id = 1;
   */
  endpointId: string;
  /**
   * For people who find it in their log.
   *
   * @generated from field: string message = 2;
   */
  message: string;
}

/**
 * A URL that receives events, or a listener: one without a URL, whose events go to the client of a Listen call.
 *
 * @generated from message usageflow.v1.Endpoint
 */
export interface EndpointPayload {
  /**
   * `whe_` and an opaque part.
   *
   * @generated from field: string id = 1;
   */
  id: string;
  /**
   * Where events are POSTed to. Empty for a listener.
   *
   * @generated from field: string url = 2;
   */
  url: string;
  /**
   * For people, at most 255 characters.
   *
   * @generated from field: string description = 3;
   */
  description: string;
  /**
   * Which events it receives. See CreateEndpointRequest.
   *
   * @generated from field: repeated string event_types = 4;
   */
  eventTypes: string[];
  /**
   * When it was made.
   *
   * @generated from field: google.protobuf.Timestamp created_at = 5;
   */
  createdAt?: string;
  /**
   * Names of the headers that are sent with each message beside ours, in small letters and in order. Their values may be
   * passwords and are never shown.
   *
   * @generated from field: repeated string header_names = 6;
   */
  headerNames: string[];
  /**
   * Notes of your own.
   *
   * @generated from field: map<string, string> metadata = 7;
   */
  metadata: Record<string, string>;
  /**
   * Since when it is paused. Absent when it is not.
   *
   * @generated from field: google.protobuf.Timestamp paused_at = 8;
   */
  pausedAt?: string;
  /**
   * How its messages are signed.
   *
   * @generated from field: usageflow.v1.SignatureKind signature_kind = 9;
   */
  signatureKind: SignatureKindPayload;
  /**
   * What `v1a` signatures are verified with: `whpk_` and 32 bytes in base64. Empty for `v1`.
   *
   * @generated from field: string public_key = 10;
   */
  publicKey: string;
  /**
   * Until when messages are signed with the secret before too. In the past: no more, and soon absent. Absent: no secret before
   * is in use.
   *
   * @generated from field: google.protobuf.Timestamp former_secrets_until = 11;
   */
  formerSecretsUntil?: string;
  /**
   * At most this many messages a second are sent to it. 0: no limit.
   *
   * @generated from field: int32 max_per_second = 20;
   */
  maxPerSecond: number;
  /**
   * At most this many messages at a time are on their way to it. 0: no limit.
   *
   * @generated from field: int32 max_in_flight = 21;
   */
  maxInFlight: number;
  /**
   * Since when nothing is sent to it, because it failed for too long or answered 410. Its deliveries wait for ResumeEndpoint.
   * Absent when it is not disabled.
   *
   * @generated from field: google.protobuf.Timestamp disabled_at = 22;
   */
  disabledAt?: string;
  /**
   * Why it is disabled, in words. Empty when it is not.
   *
   * @generated from field: string disabled_reason = 23;
   */
  disabledReason: string;
  /**
   * Whether it gets the events of a customer one after the other. See CreateEndpointRequest.
   *
   * @generated from field: bool ordered = 24;
   */
  ordered: boolean;
  /**
   * The name under which clients listen. Empty when it is no listener.
   *
   * @generated from field: string listener_name = 30;
   */
  listenerName: string;
}

/**
 * One event for one endpoint.
 *
 * @generated from message usageflow.v1.Delivery
 */
export interface DeliveryPayload {
  /**
   * `whd_` and an opaque part.
   *
   * @generated from field: string id = 1;
   */
  id: string;
  /**
   * The endpoint.
   *
   * @generated from field: string endpoint_id = 2;
   */
  endpointId: string;
  /**
   * The event, `evt_...`: the `webhook-id` header of every attempt.
   *
   * @generated from field: string event_id = 3;
   */
  eventId: string;
  /**
   * Type of the event.
   *
   * @generated from field: string event_type = 4;
   */
  eventType: string;
  /**
   * Its place among the endpoint's deliveries.
   *
   * @generated from field: int64 sequence = 5;
   */
  sequence: string;
  /**
   * What became of it.
   *
   * @generated from field: usageflow.v1.DeliveryState state = 6;
   */
  state: DeliveryStatePayload;
  /**
   * How many times it was sent.
   *
   * @generated from field: int32 attempt_count = 7;
   */
  attemptCount: number;
  /**
   * When it is sent next. Absent when it is over, and while it is held.
   *
   * @generated from field: google.protobuf.Timestamp next_attempt_at = 8;
   */
  nextAttemptAt?: string;
  /**
   * When it was made.
   *
   * @generated from field: google.protobuf.Timestamp created_at = 9;
   */
  createdAt?: string;
  /**
   * When it was delivered, given up or skipped. Absent while pending.
   *
   * @generated from field: google.protobuf.Timestamp completed_at = 10;
   */
  completedAt?: string;
  /**
   * Every attempt, first one first. Only in the answer of GetDelivery.
   *
   * @generated from field: repeated usageflow.v1.Attempt attempts = 11;
   */
  attempts: AttemptPayload[];
  /**
   * Status of the last answer. 0: there was none.
   *
   * @generated from field: int32 last_status = 12;
   */
  lastStatus: number;
  /**
   * Why the last attempt failed, in words. Empty when it did not.
   *
   * @generated from field: string last_error = 13;
   */
  lastError: string;
  /**
   * Whom the event is about. Empty: no single customer.
   *
   * @generated from field: string customer_id = 14;
   */
  customerId: string;
  /**
   * The delivery, `whd_...`, that this one waits for, because the endpoint is ordered and that one is before it: the one that
   * is sent next of all that wait in the same order. This one is sent when all before it are delivered, given up or
   * skipped. Empty when it is not held.
   *
   * @generated from field: string held_by = 22;
   */
  heldBy: string;
}

/**
 * Where an invoice is in its life:
 *
 *     DRAFT -> FINALIZED -> PAID, VOID or UNCOLLECTIBLE
 *              UNCOLLECTIBLE -> PAID or VOID
 *
 * There is no other way, and none back.
 *
 * @generated from enum usageflow.v1.InvoiceState
 */
export type InvoiceStatePayload = "INVOICE_STATE_UNSPECIFIED" | "INVOICE_STATE_DRAFT" | "INVOICE_STATE_FINALIZED" | "INVOICE_STATE_PAID" | "INVOICE_STATE_VOID" | "INVOICE_STATE_UNCOLLECTIBLE";

/**
 * One line: one price, or one group of its usage, rounded once; or what comes on top of the prices.
 *
 * @generated from message usageflow.v1.InvoiceLine
 */
export interface InvoiceLinePayload {
  /**
   * Key of the price in the plan. `minimum` for the true-up to the plan's minimum amount, `late_usage` and `proration` for
   * an earlier period's difference. Empty for discounts, tax and credit.
   *
   * @generated from field: string price_key = 1;
   */
  priceKey: string;
  /**
   * Key of the metric. Empty where it is not a price for usage.
   *
   * @generated from field: string metric = 2;
   */
  metric: string;
  /**
   * The quantity of the period, as a decimal: what is included in the price too. For a percentage, the sum of the
   * events' amounts. `1` where it is not a price for usage; for a flat price by seats, their number at the end of the
   * period. May be negative for a WEIGHTED_SUM metric, and is then priced as 0.
   *
   * @generated from field: string quantity = 3;
   */
  quantity: string;
  /**
   * The amount in minor units of the invoice's currency.
   *
   * @generated from field: int64 amount_minor = 4;
   */
  amountMinor: string;
  /**
   * The line in words, such as `Egress: 76 packages of 1000000`.
   *
   * @generated from field: string description = 5;
   */
  description: string;
  /**
   * The amount in major units before it was rounded, as a decimal.
   *
   * @generated from field: string exact_amount = 6;
   */
  exactAmount: string;
  /**
   * How the amount came about, part by part. Their amounts add up to `exact_amount`.
   *
   * @generated from field: repeated usageflow.v1.InvoiceLineStep steps = 7;
   */
  steps: InvoiceLineStepPayload[];
  /**
   * What it bills.
   *
   * @generated from field: usageflow.v1.InvoiceLineKind kind = 8;
   */
  kind: InvoiceLineKindPayload;
  /**
   * For a price with `group_by`, the value of each dimension that this line bills. Empty: the events do not have it.
   *
   * @generated from field: map<string, string> dimensions = 9;
   */
  dimensions: Record<string, string>;
  /**
   * LATE_USAGE and PRORATION: the invoice whose period is priced again, `inv_...`. Else empty.
   *
   * @generated from field: string adjusted_invoice_id = 10;
   */
  adjustedInvoiceId: string;
  /**
   * Its number.
   *
   * @generated from field: string adjusted_invoice_number = 11;
   */
  adjustedInvoiceNumber: string;
  /**
   * Start of its period, included. Absent, like its end, for other lines.
   *
   * @generated from field: google.protobuf.Timestamp adjusted_period_start = 12;
   */
  adjustedPeriodStart?: string;
  /**
   * End of its period, not included.
   *
   * @generated from field: google.protobuf.Timestamp adjusted_period_end = 13;
   */
  adjustedPeriodEnd?: string;
  /**
   * The discount, `dsc_...`. Empty for other lines.
   *
   * @generated from field: string discount_id = 14;
   */
  discountId: string;
}

/**
 * What an invoice bills.
 *
 * @generated from enum usageflow.v1.InvoiceKind
 */
export type InvoiceKindPayload = "INVOICE_KIND_UNSPECIFIED" | "INVOICE_KIND_IN_ARREARS" | "INVOICE_KIND_IN_ADVANCE" | "INVOICE_KIND_ADJUSTMENT";

/**
 * One step in an invoice's life. Never changed.
 *
 * @generated from message usageflow.v1.InvoiceChange
 */
export interface InvoiceChangePayload {
  /**
   * The state that it left.
   *
   * @generated from field: usageflow.v1.InvoiceState from = 1;
   */
  from: InvoiceStatePayload;
  /**
   * The state that it came to.
   *
   * @generated from field: usageflow.v1.InvoiceState to = 2;
   */
  to: InvoiceStatePayload;
  /**
   * When it was done, in the tenant's time.
   *
   * @generated from field: google.protobuf.Timestamp at = 3;
   */
  at?: string;
  /**
   * Who asked for it: the API key, `key_...`, or the member, `mem_...`. Empty when the server did it by itself, because its time had come.
   *
   * @generated from field: string key_id = 4;
   */
  keyId: string;
  /**
   * Reference of a payment, or the reason. May be empty.
   *
   * @generated from field: string note = 5;
   */
  note: string;
  /**
   * When it was paid, in the tenant's time. Only to PAID.
   *
   * @generated from field: google.protobuf.Timestamp paid_at = 6;
   */
  paidAt?: string;
}

/**
 * What one tax rate comes to on an invoice.
 *
 * Each rate is worked out from `base_minor` and rounded by itself, once, half away from zero; rates do not compound.
 * Vendors differ here: some round the sum of the rates and spread it. On 99.99 at 8.875 %, 2.125 % and 0.5 % that gives
 * 11.50, and here it is 8.87 + 2.12 + 0.50 = 11.49. A rate that is contained is likewise
 * amount * percent / (100 + the sum of the contained percents), rounded by itself.
 *
 * @generated from message usageflow.v1.InvoiceTax
 */
export interface InvoiceTaxPayload {
  /**
   * Name of the tax, such as `VAT`.
   *
   * @generated from field: string name = 1;
   */
  name: string;
  /**
   * Percent, such as `19` or `8.875`.
   *
   * @generated from field: string percent = 2;
   */
  percent: string;
  /**
   * True: the amounts contain it, and it is shown, not added. False: it is a line.
   *
   * @generated from field: bool inclusive = 3;
   */
  inclusive: boolean;
  /**
   * What the tax is on, in minor units: the charges after discounts, without the taxes that they contain.
   *
   * @generated from field: int64 base_minor = 4;
   */
  baseMinor: string;
  /**
   * The tax, in minor units.
   *
   * @generated from field: int64 amount_minor = 5;
   */
  amountMinor: string;
}

/**
 * One side of an invoice, as the document names it. What is empty is not shown.
 *
 * @generated from message usageflow.v1.Party
 */
export interface PartyPayload {
  /**
   * The name, at most 255 characters.
   *
   * @generated from field: string name = 1;
   */
  name: string;
  /**
   * The address, line by line: at most 8 lines of at most 255 characters.
   *
   * @generated from field: repeated string address = 2;
   */
  address: string[];
  /**
   * The tax id, such as `DE123456789`, at most 64 characters. Shown as it is, and not checked.
   *
   * @generated from field: string tax_id = 3;
   */
  taxId: string;
  /**
   * Where to write to, at most 320 characters. Nothing is sent there.
   *
   * @generated from field: string email = 4;
   */
  email: string;
}

/**
 * Where a credit comes from.
 *
 * @generated from enum usageflow.v1.CreditSource
 */
export type CreditSourcePayload = "CREDIT_SOURCE_UNSPECIFIED" | "CREDIT_SOURCE_GRANTED" | "CREDIT_SOURCE_BOUGHT" | "CREDIT_SOURCE_INVOICE" | "CREDIT_SOURCE_CREDIT_NOTE";

/**
 * A tax on a customer's invoices.
 *
 * @generated from message usageflow.v1.TaxRate
 */
export interface TaxRatePayload {
  /**
   * Name of the tax, as it stands on the invoice, such as `VAT`. 1 to 255 characters.
   *
   * @generated from field: string name = 1;
   */
  name: string;
  /**
   * Percent, such as `19` or `8.875`: 0 to 100, at most 18 digits after the point.
   *
   * @generated from field: string percent = 2;
   */
  percent: string;
  /**
   * False: it is added to what is left after discounts. True: the amounts contain it, and it is only shown.
   *
   * @generated from field: bool inclusive = 3;
   */
  inclusive: boolean;
}

/**
 * What a customer's invoices say besides what they bill.
 *
 * @generated from message usageflow.v1.Billing
 */
export interface BillingPayload {
  /**
   * The buyer. Without a name, the customer's.
   *
   * @generated from field: usageflow.v1.Party buyer = 1;
   */
  buyer?: PartyPayload;
  /**
   * The customer's purchase order, at most 255 characters. May be empty.
   *
   * @generated from field: string purchase_order = 2;
   */
  purchaseOrder: string;
  /**
   * How many days after it was finalized an invoice is due, 0 to 365. Absent: the tenant's `payment_terms_days`.
   *
   * @generated from field: optional int32 payment_terms_days = 3;
   */
  paymentTermsDays?: number;
}

/**
 * What becomes of what a credit note takes back and was paid already.
 *
 * @generated from enum usageflow.v1.CreditNoteSettlement
 */
export type CreditNoteSettlementPayload = "CREDIT_NOTE_SETTLEMENT_UNSPECIFIED" | "CREDIT_NOTE_SETTLEMENT_CREDIT" | "CREDIT_NOTE_SETTLEMENT_REFUND";

/**
 * A line of an invoice that is taken back, wholly or in part.
 *
 * @generated from message usageflow.v1.CreditNoteLine
 */
export interface CreditNoteLinePayload {
  /**
   * Its place on the invoice: 1 is the first line.
   *
   * @generated from field: int32 position = 1;
   */
  position: number;
  /**
   * How much of the line's amount, in minor units: before discounts and tax, as the line stands on the invoice.
   *
   * @generated from field: int64 amount_minor = 2;
   */
  amountMinor: string;
  /**
   * What the line says.
   *
   * @generated from field: string description = 3;
   */
  description: string;
}

/**
 * How the messages to an endpoint are signed, as Standard Webhooks says.
 *
 * @generated from enum usageflow.v1.SignatureKind
 */
export type SignatureKindPayload = "SIGNATURE_KIND_UNSPECIFIED" | "SIGNATURE_KIND_V1" | "SIGNATURE_KIND_V1A";

/**
 * What became of an event for an endpoint.
 *
 * @generated from enum usageflow.v1.DeliveryState
 */
export type DeliveryStatePayload = "DELIVERY_STATE_UNSPECIFIED" | "DELIVERY_STATE_PENDING" | "DELIVERY_STATE_DELIVERED" | "DELIVERY_STATE_FAILED" | "DELIVERY_STATE_SKIPPED";

/**
 * One POST.
 *
 * @generated from message usageflow.v1.Attempt
 */
export interface AttemptPayload {
  /**
   * From 1.
   *
   * @generated from field: int32 number = 1;
   */
  number: number;
  /**
   * When it was sent.
   *
   * @generated from field: google.protobuf.Timestamp sent_at = 2;
   */
  sentAt?: string;
  /**
   * From the first look-up of the name to the end of the answer.
   *
   * @generated from field: google.protobuf.Duration duration = 3;
   */
  duration?: string;
  /**
   * Status of the answer. 0: there was none.
   *
   * @generated from field: int32 status = 4;
   */
  status: number;
  /**
   * Why it failed, in words. Empty when it did not.
   *
   * @generated from field: string error = 5;
   */
  error: string;
  /**
   * The start of the answer's body, at most 4 KiB; bytes that are not text are replaced.
   *
   * @generated from field: string response_body = 6;
   */
  responseBody: string;
  /**
   * What kind of failure it was. Not given when it did not fail.
   *
   * @generated from field: usageflow.v1.AttemptErrorKind error_kind = 7;
   */
  errorKind: AttemptErrorKindPayload;
  /**
   * How long the look-up of the name took. Absent where there was none: an address, or a connection that was kept open.
   *
   * @generated from field: google.protobuf.Duration resolve = 8;
   */
  resolve?: string;
  /**
   * From there until there was a connection, TLS included. Absent where there was none, or one was kept open.
   *
   * @generated from field: google.protobuf.Duration connect = 9;
   */
  connect?: string;
  /**
   * From there until the head of the answer had come. Absent when none came.
   *
   * @generated from field: google.protobuf.Duration first_byte = 10;
   */
  firstByte?: string;
  /**
   * Headers of the answer by name in small letters, at most 4 KiB of them; a header that came more than once is joined
   * by commas.
   *
   * @generated from field: map<string, string> response_headers = 11;
   */
  responseHeaders: Record<string, string>;
  /**
   * The worker that sent it: its host and process.
   *
   * @generated from field: string worker = 12;
   */
  worker: string;
}

/**
 * One part of a line's amount.
 *
 * @generated from message usageflow.v1.InvoiceLineStep
 */
export interface InvoiceLineStepPayload {
  /**
   * The quantity that this part prices: units, packages, or 1 for a fixed amount.
   *
   * @generated from field: string quantity = 1;
   */
  quantity: string;
  /**
   * Amount per unit or package, or the fixed amount.
   *
   * @generated from field: string unit_amount = 2;
   */
  unitAmount: string;
  /**
   * Quantity times unit amount, exactly.
   *
   * @generated from field: string amount = 3;
   */
  amount: string;
  /**
   * What it is, such as `tier up to 100`.
   *
   * @generated from field: string description = 4;
   */
  description: string;
  /**
   * The invoice on which this part, which is therefore negative, was billed before. Only in an earlier period's difference.
   *
   * @generated from field: string invoice_number = 5;
   */
  invoiceNumber: string;
  /**
   * The credit note that gave this part back already. Only in an earlier period's difference that it limits.
   *
   * @generated from field: string credit_note_number = 6;
   */
  creditNoteNumber: string;
}

/**
 * What a line of an invoice bills.
 *
 * @generated from enum usageflow.v1.InvoiceLineKind
 */
export type InvoiceLineKindPayload = "INVOICE_LINE_KIND_UNSPECIFIED" | "INVOICE_LINE_KIND_PRICE" | "INVOICE_LINE_KIND_MINIMUM" | "INVOICE_LINE_KIND_LATE_USAGE" | "INVOICE_LINE_KIND_PRORATION" | "INVOICE_LINE_KIND_DISCOUNT" | "INVOICE_LINE_KIND_TAX" | "INVOICE_LINE_KIND_CREDIT_DRAWN" | "INVOICE_LINE_KIND_CREDIT_GRANTED";

/**
 * What kind of failure an attempt was.
 *
 * @generated from enum usageflow.v1.AttemptErrorKind
 */
export type AttemptErrorKindPayload = "ATTEMPT_ERROR_KIND_UNSPECIFIED" | "ATTEMPT_ERROR_KIND_DNS" | "ATTEMPT_ERROR_KIND_REFUSED_ADDRESS" | "ATTEMPT_ERROR_KIND_CONNECT" | "ATTEMPT_ERROR_KIND_TLS" | "ATTEMPT_ERROR_KIND_TIMEOUT" | "ATTEMPT_ERROR_KIND_RESET" | "ATTEMPT_ERROR_KIND_TOO_LARGE" | "ATTEMPT_ERROR_KIND_STATUS" | "ATTEMPT_ERROR_KIND_REDIRECT" | "ATTEMPT_ERROR_KIND_PROTOCOL";
