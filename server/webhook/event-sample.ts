import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { CreditNoteSettlement } from "../../gen/usageflow/v1/credit_note_pb.ts";
import { type CreditGrantSchema, CreditSource } from "../../gen/usageflow/v1/credit_pb.ts";
import type { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { InvoiceKind, InvoiceLineKind, type InvoiceSchema, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { SubscriptionSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { DeliveryState, type EndpointSchema, SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { EventFacts, EventType } from "../outbox/event-type.ts";

// What each event type tells of, in words and by example: one customer's month on a plan. Another type has no sample until it
// is written here: the compiler says so.

const idOf = (prefix: string) => `${prefix}_01K0J1ZD8Q5x2nS7mXvTf3`;
const at = (time: string): Timestamp => timestampFromDate(new Date(time));
const CUSTOMER = "user_123";
const MAY = at("2015-05-01T00:00:00Z");
const JUNE = at("2015-06-01T00:00:00Z");
const FINALIZED = at("2015-06-01T01:00:00Z");
const SETTLED = at("2015-06-03T09:30:00Z");

/** The fields of a message, as they are written here. */
type Fields<S extends DescMessage> = Exclude<MessageInitShape<S>, MessageShape<S>>;

/** The types that tell of a fact. */
type TypeOf<Field extends string> = { [T in EventType]: keyof EventFacts[T] extends Field ? T : never }[EventType];

interface Sample {
  description: string;
  occurredAt: Timestamp;
  facts: Fields<typeof EventDataSchema>;
}

const invoice: Fields<typeof InvoiceSchema> = {
  ...{ id: idOf("inv"), customerId: CUSTOMER, currency: "USD", totalMinor: 750n, subtotalMinor: 750n },
  ...{ subscriptionId: idOf("sub"), plan: "pro", planVersion: 1, kind: InvoiceKind.IN_ARREARS },
  ...{ periodStart: MAY, periodEnd: JUNE, fullPeriodStart: MAY, fullPeriodEnd: JUNE },
  ...{ createdAt: JUNE, finalizeAt: FINALIZED, dueAt: at("2015-07-01T01:00:00Z") },
  lines: [
    {
      ...{ kind: InvoiceLineKind.PRICE, priceKey: "calls", metric: "API_CALL", quantity: "150" },
      ...{ amountMinor: 750n, exactAmount: "7.5", description: "API calls: 150 units" },
      steps: [{ quantity: "150", unitAmount: "0.05", amount: "7.5", description: "units" }],
    },
  ],
  seller: { name: "Acme GmbH", address: ["Hauptstr. 1", "10115 Berlin"], taxId: "DE123456789" },
  buyer: { name: "Ada Lovelace" },
};

/** Each type of event: when it happens, and facts that it could tell. */
export const eventSamples: Record<EventType, Sample> = {
  "customer.created": {
    description: "A customer was made, or first seen in usage.",
    occurredAt: MAY,
    facts: { customer: { id: CUSTOMER, name: "Ada Lovelace", createdAt: MAY } },
  },
  "webhook.test": {
    description: "An endpoint is tried out; nothing happened.",
    occurredAt: MAY,
    facts: { test: { endpointId: idOf("whe"), message: "A test." } },
  },
  ...invoiceSamples(),
  "credit_note.created": {
    description: "An invoice was taken back, wholly or in part.",
    occurredAt: SETTLED,
    facts: {
      creditNote: {
        ...{ id: idOf("crn"), number: "CN-000001", invoiceId: idOf("inv"), invoiceNumber: "INV-000001" },
        ...{ customerId: CUSTOMER, currency: "USD", amountMinor: 250n, dueReducedMinor: 250n },
        settlement: CreditNoteSettlement.CREDIT,
        lines: [{ position: 1, amountMinor: 250n, description: "API calls: 150 units" }],
        ...{ reason: "An outage on 12 May", createdAt: SETTLED, keyId: idOf("key") },
      },
    },
  },
  ...subscriptionSamples(),
  "credit.granted": creditSample("A customer was granted credit.", 1_000n, MAY),
  "credit.depleted": creditSample("Nothing is left of a credit: drawn, expired or revoked.", 0n, FINALIZED),
  "usage.threshold_reached": {
    description: "What the usage of a period comes to has reached a threshold of its subscription.",
    occurredAt: at("2015-05-21T12:00:00Z"),
    facts: {
      threshold: {
        ...{ subscriptionId: idOf("sub"), customerId: CUSTOMER, plan: "pro", planVersion: 1 },
        ...{ periodStart: MAY, periodEnd: JUNE, currency: "USD", thresholdAmount: "5", amountMinor: 525n },
      },
    },
  },
  "delivery.exhausted": {
    description: "A delivery was given up after its last attempt. Its own endpoint is not told.",
    occurredAt: SETTLED,
    facts: {
      delivery: {
        ...{ id: idOf("whd"), endpointId: idOf("whe"), eventId: idOf("evt"), eventType: "invoice.finalized" },
        ...{ sequence: 1n, state: DeliveryState.FAILED, attemptCount: 10, createdAt: FINALIZED, completedAt: SETTLED },
        ...{ lastStatus: 500, lastError: "the receiver answered 500" },
      },
    },
  },
  ...endpointSamples(),
};

function endpointSamples(): Record<TypeOf<"endpoint">, Sample> {
  const endpoint: Fields<typeof EndpointSchema> = {
    ...{ id: idOf("whe"), url: "https://example.com/webhooks", eventTypes: ["*"], createdAt: MAY },
    signatureKind: SignatureKind.V1,
  };
  const disabledReason = "the receiver answered 410: it is gone";
  return {
    "endpoint.disabled": {
      description: "An endpoint failed for too long, or is gone: nothing is sent to it any more. The others are told.",
      occurredAt: SETTLED,
      facts: { endpoint: { ...endpoint, disabledAt: SETTLED, disabledReason } },
    },
    "endpoint.recovered": {
      description: "An endpoint that was failing has taken a delivery.",
      occurredAt: SETTLED,
      facts: { endpoint },
    },
  };
}

function invoiceSamples(): Record<TypeOf<"invoice">, Sample> {
  const { DRAFT, FINALIZED: OWED, PAID, VOID, UNCOLLECTIBLE } = InvoiceState;
  return {
    "invoice.created": {
      description: "A period has ended, or begins with a fee in advance, and the draft of its invoice stands.",
      occurredAt: JUNE,
      facts: { invoice: { ...invoice, state: DRAFT } },
    },
    "invoice.finalized": invoiceSample("An invoice has its number and is owed.", OWED, FINALIZED),
    "invoice.paid": invoiceSample("An invoice was paid.", PAID, SETTLED, "Transfer 4711"),
    "invoice.voided": invoiceSample(
      "An invoice is not owed any more, though unpaid.",
      VOID,
      SETTLED,
      "Sent by mistake",
    ),
    "invoice.uncollectible": invoiceSample(
      "An invoice is not expected to be paid.",
      ...([UNCOLLECTIBLE, SETTLED, "Bankrupt"] as const),
    ),
  };
}

/** An invoice that is final, in a state that it has come to. */
function invoiceSample(description: string, state: InvoiceState, occurredAt: Timestamp, note = ""): Sample {
  const finalized = { from: InvoiceState.DRAFT, to: InvoiceState.FINALIZED, at: FINALIZED };
  const paidAt = state === InvoiceState.PAID ? { paidAt: occurredAt } : {};
  const after = { from: InvoiceState.FINALIZED, to: state, at: occurredAt, keyId: idOf("key"), note, ...paidAt };
  const changes = state === InvoiceState.FINALIZED ? [finalized] : [finalized, after];
  const facts = { invoice: { ...invoice, number: "INV-000001", state, finalizedAt: FINALIZED, changes } };
  return { description, occurredAt, facts };
}

function subscriptionSamples(): Record<TypeOf<"subscription">, Sample> {
  const subscription: Fields<typeof SubscriptionSchema> = {
    ...{ id: idOf("sub"), customerId: CUSTOMER, plan: "pro", planVersion: 1, quantity: 3 },
    ...{ startedAt: MAY, periodStart: MAY, periodEnd: JUNE, timeZone: "UTC", spendThresholds: ["5"] },
  };
  const changed = {
    ...subscription,
    plan: "scale",
    quantity: 5,
    periodStart: JUNE,
    periodEnd: at("2015-07-01T00:00:00Z"),
  };
  return {
    "subscription.started": {
      description: "A customer was subscribed to a plan, from now or another time on.",
      occurredAt: MAY,
      facts: { subscription },
    },
    "subscription.changed": {
      description: "A subscription is on another plan or has another number of seats.",
      occurredAt: JUNE,
      facts: { subscription: changed },
    },
    "subscription.ended": {
      description: "A subscription is over.",
      occurredAt: JUNE,
      facts: { subscription: { ...subscription, endsAt: JUNE, periodStart: JUNE } },
    },
  };
}

function creditSample(description: string, remainingMinor: bigint, occurredAt: Timestamp): Sample {
  const creditGrant: Fields<typeof CreditGrantSchema> = {
    ...{ id: idOf("crg"), customerId: CUSTOMER, currency: "USD", amountMinor: 1_000n, remainingMinor },
    ...{ source: CreditSource.GRANTED, priority: 50, note: "Welcome", createdAt: MAY },
  };
  return { description, occurredAt, facts: { creditGrant } };
}
