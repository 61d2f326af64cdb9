import type { CreditGrant } from "../../gen/usageflow/v1/credit_pb.ts";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";

/** Every event type, and the fact that it carries: a field of the contract's EventData. */
export interface EventFacts {
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
  /** A customer was granted credit. */
  "credit.granted": { creditGrant: CreditGrant };
  /** Nothing is left of a credit. */
  "credit.depleted": { creditGrant: CreditGrant };
}

export type EventType = keyof EventFacts;

// A record, so that the compiler refuses a type that is missing here and one that does not exist.
const known: Record<EventType, true> = {
  "invoice.created": true,
  "invoice.finalized": true,
  "invoice.paid": true,
  "invoice.voided": true,
  "invoice.uncollectible": true,
  "credit.granted": true,
  "credit.depleted": true,
};

/** The event types by name. */
export const eventTypes: readonly string[] = Object.keys(known);
