import { fromJson, toJson } from "@bufbuild/protobuf";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { Aggregation, type Catalog, CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { catalog } from "./catalog.ts";
import type { Clients } from "./clients.ts";

/** What a tenant has after a month in which everything happened: an id, or a name of its own, of each kind of thing. */
export interface Lived {
  /** A word that is in every name that the tenant gave, and nowhere else. */
  name: string;
  customerId: string;
  metric: string;
  plan: string;
  invoiceId: string;
  /** The second of its invoices: there is a page after the first. */
  otherInvoiceId: string;
  creditNoteId: string;
  creditGrantId: string;
  subscriptionId: string;
  discountId: string;
  endpointId: string;
  eventId: string;
  deliveryId: string;
  replayId: string;
  apiKeyId: string;
  /** Idempotency key of a usage event. */
  usageKey: string;
}

/** The catalog of the first journey and a metric that counts values, their keys ending in a name. */
export function catalogOf(name: string): Catalog {
  const text = JSON.stringify(toJson(CatalogSchema, catalog)).replace(/"(API_CALL|EGRESS_BYTES|pro)"/g, `"$1_${name}"`);
  const named = fromJson(CatalogSchema, JSON.parse(text));
  const unique = { key: `VISITOR_${name}`, aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "ip" };
  named.metrics.push(...fromJson(CatalogSchema, { metrics: [unique] }).metrics);
  return named;
}

/**
 * Lives the month in which the tenant's clock stands (May of 2015), to the second day of the next: usage, an invoice, a credit
 * note, an endpoint that takes what is sent to `url` and one that fails, a replay, a listener, a stored answer.
 */
export async function liveMonth(
  clients: Clients,
  { name, url, drain }: { name: string; url: string; drain: () => Promise<void> },
): Promise<Lived> {
  const { tenant, pricing, usage, invoice, webhook } = clients;
  const metric = `API_CALL_${name}`;
  const plan = `pro_${name}`;
  const customerId = `user_${name}`;
  const usageKey = `first_${name}`;
  await pricing.pushCatalog({ catalog: catalogOf(name) }, { headers: { "idempotency-key": `push_${name}` } });
  await pricing.pushCatalog({ catalog: { metrics: [{ key: `JOB_${name}`, aggregation: Aggregation.COUNT }] } });
  const endpointId = (await webhook.createEndpoint({ url, maxPerSecond: 100, description: name })).endpoint?.id ?? "";
  await webhook.rotateEndpointSecret({ id: endpointId });
  const { replay } = await webhook.createReplay({ endpointId });
  await webhook.createReplay({ endpointId });
  for await (const _ of webhook.listen({ name: `laptop_${name}`, client: "laptop 1" })) break; // it waits for its client
  await webhook.createEndpoint({ url: "http://localhost:1/", eventTypes: ["credit_note.created"] }); // fails
  const grant = { customerId, currency: "USD", amount: "1" };
  const { creditGrant } = await invoice.createCreditGrant(grant);
  await invoice.createCreditGrant(grant);
  const { subscription } = await pricing.startSubscription({ customerId, plan });
  const subscriptionId = subscription?.id ?? "";
  const discount = { subscriptionId, name, duration: { case: "forEver", value: true } } as const;
  const made = await pricing.createDiscount({ ...discount, value: { case: "percent", value: "10" } });
  await pricing.createDiscount({ ...discount, value: { case: "amount", value: "0.01" } });
  const events = [
    { metric, amount: "150", customerId, idempotencyKey: usageKey },
    { metric, amount: "1", customerId: `other_${name}` },
    { metric: `VISITOR_${name}`, customerId, properties: { ip: "::1" } },
    { metric, amount: "1", customerId, idempotencyKey: `taken_back_${name}` },
  ];
  await usage.trackUsage({ events });
  await usage.voidUsage({ idempotencyKeys: [`taken_back_${name}`], reason: name });
  await pricing.setSpendThresholds({ id: subscriptionId, amounts: ["1"] });
  const to = { seconds: BigInt(Date.parse("2015-06-02T00:00:00Z") / 1_000) };
  await tenant.advanceClock({ destination: { case: "to", value: to } });
  await drain();
  const { invoices } = await invoice.listInvoices({});
  const [invoiceId, otherInvoiceId] = invoices.map(({ id }) => id) as [string, string];
  const part = { scope: { case: "amountMinor", value: 1n }, reason: name } as const;
  const { creditNote } = await invoice.createCreditNote({ invoiceId, ...part });
  await invoice.createCreditNote({ invoiceId, ...part });
  await drain();
  const { apiKeys } = await tenant.listApiKeys({});
  const { events: told } = await webhook.listEvents({ eventTypes: ["invoice.*"] });
  const { deliveries } = await webhook.listDeliveries({ endpointId });
  return {
    ...{ name, customerId, metric, plan, invoiceId, otherInvoiceId, subscriptionId, endpointId, usageKey },
    creditNoteId: creditNote?.id ?? "",
    creditGrantId: creditGrant?.id ?? "",
    discountId: made.discount?.id ?? "",
    eventId: told[0]?.id ?? "",
    deliveryId: deliveries[0]?.id ?? "",
    replayId: replay?.id ?? "",
    apiKeyId: apiKeys[0]?.id ?? "",
  };
}

/** What an organization has besides its tenants'. */
export interface LivedTogether {
  /** A viewer. */
  memberId: string;
  /** Of the viewer. */
  accessTokenId: string;
}

/** Invites a viewer, who comes. */
export async function liveTogether(
  clientsFor: (secret: string) => Clients,
  { ownerToken }: { ownerToken: string },
  name: string,
): Promise<{ together: LivedTogether }> {
  const owner = clientsFor(ownerToken).tenant;
  const { code, member } = await owner.inviteMember({ email: `viewer@${name}.com`, role: Role.VIEWER });
  const { accessToken } = await clientsFor(code).tenant.acceptInvite({ name: `viewer_${name}` });
  return { together: { memberId: member?.id ?? "", accessTokenId: accessToken?.id ?? "" } };
}
