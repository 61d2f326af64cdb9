import type { CreditNote } from "../../gen/usageflow/v1/credit_note_pb.ts";
import type { CreditGrant } from "../../gen/usageflow/v1/credit_pb.ts";
import type { ThresholdReached, WebhookTest } from "../../gen/usageflow/v1/event_pb.ts";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Subscription } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Customer } from "../../gen/usageflow/v1/tenant_pb.ts";
import type { Delivery, Endpoint } from "../../gen/usageflow/v1/webhook_pb.ts";

/** Every event type, and the fact that it carries: a field of the contract's EventData. */
export interface EventFacts {
  /** A customer was made, or first seen. */
  "customer.created": { customer: Customer };
  /** A period has ended and its draft stands. */
  "invoice.created": { invoice: Invoice };
  /** An invoice has its number and is owed. */
  "invoice.finalized": { invoice: Invoice };
  /** An invoice was paid. */
  "invoice.paid": { invoice: Invoice };
  /** An invoice is not owed any more, though it was not paid. */
  "invoice.voided": { invoice: Invoice };
  /** An invoice is not expected to be paid. */
  "invoice.uncollectible": { invoice: Invoice };
  /** An invoice was taken back, wholly or in part. */
  "credit_note.created": { creditNote: CreditNote };
  /** A customer was subscribed to a plan, from now or another time on. */
  "subscription.started": { subscription: Subscription };
  /** A subscription is on another plan or has another number of seats. */
  "subscription.changed": { subscription: Subscription };
  /** A subscription is over. */
  "subscription.ended": { subscription: Subscription };
  /** A customer was granted credit. */
  "credit.granted": { creditGrant: CreditGrant };
  /** Nothing is left of a credit. */
  "credit.depleted": { creditGrant: CreditGrant };
  /** What the usage of a period comes to has reached a threshold of its subscription. */
  "usage.threshold_reached": { threshold: ThresholdReached };
  /** Nothing happened: an endpoint is tried out, and no other is told. */
  "webhook.test": { test: WebhookTest };
  /** A delivery was given up after its last attempt. */
  "delivery.exhausted": { delivery: Delivery };
  /** An endpoint failed for too long, or is gone: nothing is sent to it any more. */
  "endpoint.disabled": { endpoint: Endpoint };
  /** An endpoint that was failing has taken a delivery. */
  "endpoint.recovered": { endpoint: Endpoint };
}

export type EventType = keyof EventFacts;

// A record, so that the compiler refuses a type that is missing here and one that does not exist.
const known: Record<EventType, true> = {
  "customer.created": true,
  "invoice.created": true,
  "invoice.finalized": true,
  "invoice.paid": true,
  "invoice.voided": true,
  "invoice.uncollectible": true,
  "credit_note.created": true,
  "subscription.started": true,
  "subscription.changed": true,
  "subscription.ended": true,
  "credit.granted": true,
  "credit.depleted": true,
  "usage.threshold_reached": true,
  "webhook.test": true,
  "delivery.exhausted": true,
  "endpoint.disabled": true,
  "endpoint.recovered": true,
};

/** The event types by name. */
export const eventTypes: readonly string[] = Object.keys(known);
