import type {
  CreditGrantPayload,
  CreditNotePayload,
  CustomerPayload,
  DeliveryPayload,
  EndpointPayload,
  InvoicePayload,
  SubscriptionPayload,
  ThresholdReachedPayload,
  WebhookTestPayload,
} from "../../gen/usageflow/v1/payload.ts";

/** Every type of event, and the fact that it carries, as JSON: amounts are text, times RFC 3339, states the contract's names. */
export interface WebhookFacts {
  "customer.created": { customer: CustomerPayload };
  "invoice.created": { invoice: InvoicePayload };
  "invoice.finalized": { invoice: InvoicePayload };
  "invoice.paid": { invoice: InvoicePayload };
  "invoice.voided": { invoice: InvoicePayload };
  "invoice.uncollectible": { invoice: InvoicePayload };
  "credit_note.created": { creditNote: CreditNotePayload };
  "subscription.started": { subscription: SubscriptionPayload };
  "subscription.changed": { subscription: SubscriptionPayload };
  "subscription.ended": { subscription: SubscriptionPayload };
  "credit.granted": { creditGrant: CreditGrantPayload };
  "credit.depleted": { creditGrant: CreditGrantPayload };
  "usage.threshold_reached": { threshold: ThresholdReachedPayload };
  "webhook.test": { test: WebhookTestPayload };
  "delivery.exhausted": { delivery: DeliveryPayload };
  "endpoint.disabled": { endpoint: EndpointPayload };
  "endpoint.recovered": { endpoint: EndpointPayload };
}

/** The name of a type of event. */
export type WebhookEventType = keyof WebhookFacts;

/** An event of one type. */
export interface WebhookEventOf<T extends WebhookEventType> {
  /** The same over all attempts: an event that was handled before is to be ignored. */
  id: string;
  /** What happened. */
  type: T;
  /** When it happened, in RFC 3339. */
  timestamp: string;
  /** Gapless per endpoint. */
  sequence: string;
  /** The facts. An event keeps what the contract was when it happened: one that is sent again after months may lack a field. */
  data: WebhookFacts[T];
}

/**
 * An event that verified. `type` tells which: inside `if (event.type === "invoice.paid")` its `data` is an invoice. A server
 * that is newer than this package may send types that are not here, so what you do not know, take and ignore.
 */
export type WebhookEvent = { [T in WebhookEventType]: WebhookEventOf<T> }[WebhookEventType];
