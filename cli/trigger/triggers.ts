import type { EventType } from "../../server/outbox/event-type.ts";
import type { Step, Trigger } from "./trigger.ts";

// How each event comes about. The plan is the triggers' own: nothing of the tenant's catalog is changed. `{run}` is a
// number that no customer of a trigger has yet, `{receiver}` a server of the command's own, which answers as its path says.

const PLAN = "trigger";
const METRIC = "TRIGGER_CALL";

const customer: Step = {
  name: "customer",
  call: "TenantService.PutCustomer",
  why: "a customer, whom it is about",
  request: { customer: { id: "trigger_{run}", name: "A customer of usageflow trigger" } },
};

const catalog: Step = {
  name: "catalog",
  call: "PricingService.PushCatalog",
  why: "a plan to subscribe to, beside those that there are",
  request: {
    catalog: {
      metrics: [{ key: METRIC, name: "Calls", aggregation: "AGGREGATION_SUM" }],
      plans: [
        {
          key: PLAN,
          name: "Trigger",
          currency: "USD",
          period: "PERIOD_MONTHLY",
          prices: [
            { key: "base", name: "Platform fee", flat: { amount: "20.00" } },
            { key: "calls", name: "Calls", metric: METRIC, perUnit: { unitAmount: "0.05" } },
          ],
        },
      ],
    },
  },
};

const subscription: Step = {
  name: "subscription",
  call: "PricingService.StartSubscription",
  why: "the customer on the plan",
  request: { customerId: "{customer.customer.id}", plan: PLAN, quantity: 1 },
};

const usage: Step = {
  name: "usage",
  call: "UsageService.TrackUsage",
  why: "usage, to be billed",
  request: { events: [{ metric: METRIC, amount: "1000", customerId: "{customer.customer.id}" }] },
};

const SUBSCRIBED = [customer, catalog, subscription];

/** The clock goes to a time, and all that falls due on the way is done. */
function advance(name: string, to: string, why: string): Step[] {
  return [
    { name, call: "TenantService.AdvanceClock", why, request: { to } },
    {
      name: `${name}-arrived`,
      call: "TenantService.GetTenant",
      why: "all that falls due on the way is done",
      request: {},
      until: { path: "tenant.clock.target" },
    },
  ];
}

const CREATED: Step[] = [
  ...SUBSCRIBED,
  usage,
  ...advance("period-end", "{subscription.subscription.periodEnd}", "the clock goes to the end of the period"),
  {
    name: "draft",
    call: "InvoiceService.ListInvoices",
    why: "its invoice",
    request: { customerId: "{customer.customer.id}" },
  },
];

const FINALIZED: Step[] = [
  ...CREATED,
  ...advance("grace-end", "{draft.invoices[0].finalizeAt}", "the clock goes to when the invoice is final"),
];

const INVOICE = "{draft.invoices[0].id}";

const grant: Step = {
  name: "grant",
  call: "InvoiceService.CreateCreditGrant",
  why: "money that the customer has with you",
  request: { customerId: "{customer.customer.id}", currency: "USD", amount: "10.00", note: "usageflow trigger" },
};

/** A receiver of the command's own, and a test event for it. */
function failing(answers: string): Step[] {
  return [
    {
      name: "endpoint",
      call: "WebhookService.CreateEndpoint",
      why: `an endpoint whose receiver answers ${answers.replace(/x(\d+)$/, " ($1 times) and then 204")}`,
      request: { url: `{receiver}/${answers}`, description: "usageflow trigger", eventTypes: ["webhook.test"] },
    },
    {
      name: "sent",
      call: "WebhookService.SendTestEvent",
      why: "an event for it",
      request: { endpointId: "{endpoint.endpoint.id}" },
    },
  ];
}

/** The delivery is tried again and again, without the waits of its schedule, until this has become of it. */
function triedUntil(state: string, why: string): Step {
  const request = { id: "{sent.delivery.id}" };
  return {
    name: "tried",
    call: "WebhookService.GetDelivery",
    why,
    request,
    until: { path: "delivery.state", is: state },
    meanwhile: { call: "WebhookService.RetryDelivery", request },
  };
}

const deleted: Step = {
  name: "deleted",
  call: "WebhookService.DeleteEndpoint",
  why: "the endpoint goes",
  request: { id: "{endpoint.endpoint.id}" },
};

/** Every event type, and how it comes about. */
export const triggers: Record<EventType, Trigger> = {
  "customer.created": { steps: [customer] },
  "subscription.started": { steps: SUBSCRIBED },
  "subscription.changed": {
    steps: [
      ...SUBSCRIBED,
      {
        name: "change",
        call: "PricingService.ChangeSubscription",
        why: "more seats, now",
        request: { id: "{subscription.subscription.id}", quantity: 2 },
      },
    ],
  },
  "subscription.ended": {
    steps: [
      ...SUBSCRIBED,
      {
        name: "end",
        call: "PricingService.EndSubscription",
        why: "it is over, now",
        request: { id: "{subscription.subscription.id}", timing: "CHANGE_TIMING_NOW" },
      },
    ],
  },
  "usage.threshold_reached": {
    steps: [
      ...SUBSCRIBED,
      {
        name: "thresholds",
        call: "PricingService.SetSpendThresholds",
        why: "an amount to tell of",
        request: { id: "{subscription.subscription.id}", amounts: ["10"] },
      },
      usage,
    ],
  },
  "invoice.created": { steps: CREATED },
  "invoice.finalized": { steps: FINALIZED },
  "invoice.paid": {
    steps: [
      ...FINALIZED,
      {
        name: "paid",
        call: "InvoiceService.MarkInvoicePaid",
        why: "the customer pays",
        request: { id: INVOICE, reference: "usageflow trigger" },
      },
    ],
  },
  "invoice.voided": {
    steps: [
      ...FINALIZED,
      {
        name: "voided",
        call: "InvoiceService.VoidInvoice",
        why: "it is not owed any more",
        request: { id: INVOICE, reason: "usageflow trigger" },
      },
    ],
  },
  "invoice.uncollectible": {
    steps: [
      ...FINALIZED,
      {
        name: "uncollectible",
        call: "InvoiceService.MarkInvoiceUncollectible",
        why: "nobody will pay",
        request: { id: INVOICE, reason: "usageflow trigger" },
      },
    ],
  },
  "credit_note.created": {
    steps: [
      ...FINALIZED,
      {
        name: "note",
        call: "InvoiceService.CreateCreditNote",
        why: "the invoice is taken back",
        request: { invoiceId: INVOICE, full: true, reason: "usageflow trigger" },
      },
    ],
  },
  "credit.granted": { steps: [customer, grant] },
  "credit.depleted": {
    steps: [
      customer,
      grant,
      {
        name: "revoked",
        call: "InvoiceService.RevokeCreditGrant",
        why: "nothing is left of it",
        request: { id: "{grant.creditGrant.id}", reason: "usageflow trigger" },
      },
    ],
  },
  "webhook.test": {
    steps: [
      {
        name: "endpoints",
        call: "WebhookService.ListEndpoints",
        why: "an endpoint, to be tried out",
        request: {},
        hint: "There is no endpoint. Make one with: usageflow endpoints create URL",
      },
      {
        name: "sent",
        call: "WebhookService.SendTestEvent",
        why: "a test for it, of which no other is told",
        request: { endpointId: "{endpoints.endpoints[0].id}" },
      },
    ],
  },
  "delivery.exhausted": {
    steps: [
      ...failing("500"),
      triedUntil("DELIVERY_STATE_FAILED", "tried again until it is given up, without the waits"),
    ],
    cleanup: [deleted],
  },
  "endpoint.disabled": { steps: failing("410"), cleanup: [deleted] },
  "endpoint.recovered": {
    steps: [...failing("500x5"), triedUntil("DELIVERY_STATE_DELIVERED", "tried again until the receiver takes it")],
    cleanup: [deleted],
  },
};
