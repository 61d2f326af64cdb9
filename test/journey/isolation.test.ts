import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import pg from "pg";
import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { Aggregation, PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UsageInterval, VoidOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { formatId } from "../../server/id.ts";
import { HEARTBEAT_MS } from "../../server/rpc/streams.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";

/** Tables of which the worker sees rows of all tenants: its work. */
const WORKERS_DOORS = [
  "delivery",
  "delivery_attempt",
  "delivery_due",
  "endpoint",
  "endpoint_failure",
  "endpoint_pace",
  "listener",
  "outbox_event",
  "organization",
  "outbox_pending",
  "replay",
  "rpc_answer",
  "tenant",
  "tenant_due",
  "usage_batch",
];

/** Tables of organizations, whose rows have no tenant. */
const OF_ORGANIZATIONS = ["access_token", "member", "organization"];

/** Tables whose rows come and go with the work that they stand for. */
const TRANSIENT = ["usage_batch", "usage_news", "outbox_pending", "customer_arrival", "tenant_due", "invoice_rerating"];

/** The column that says whose a row is. */
function placeOf(table: string): string {
  if (table === "organization") return "id";
  return OF_ORGANIZATIONS.includes(table) ? "organization_id" : "tenant_id";
}

/** A month of an organization with usage, an invoice, a credit note, an endpoint, a delivery and a stored answer. */
async function live(harness: Harness, key: string, url: string): Promise<void> {
  const clients = harness.clientsFor(key);
  const headers = { "idempotency-key": "push" };
  const unique = { key: "VISITOR", aggregation: Aggregation.UNIQUE, uniqueProperty: "ip" };
  await clients.pricing.pushCatalog({ catalog }, { headers });
  await clients.pricing.pushCatalog({ catalog: { metrics: [unique] } });
  const { endpoint } = await clients.webhook.createEndpoint({ url, maxPerSecond: 100 });
  await clients.webhook.rotateEndpointSecret({ id: endpoint?.id ?? "" });
  await clients.webhook.createReplay({ endpointId: endpoint?.id ?? "" });
  for await (const _ of clients.webhook.listen({ name: "laptop", client: "laptop 1" })) break; // it waits for its client
  await clients.webhook.createEndpoint({ url: "http://localhost:1/", eventTypes: ["credit_note.created"] }); // fails
  await clients.invoice.createCreditGrant({ customerId: "user_123", currency: "USD", amount: "1" });
  const { subscription } = await clients.pricing.startSubscription({ customerId: "user_123", plan: "pro" });
  await clients.pricing.createDiscount({
    subscriptionId: subscription?.id ?? "",
    name: "Launch offer",
    value: { case: "percent", value: "10" },
    duration: { case: "forEver", value: true },
  });
  const events = [
    { metric: "API_CALL", amount: "150", customerId: "user_123" },
    { metric: "API_CALL", amount: "1", customerId: "user_456" },
    { metric: "VISITOR", customerId: "user_123", properties: { ip: "::1" } },
    { metric: "API_CALL", amount: "1", customerId: "user_123", idempotencyKey: "taken back" },
  ];
  await clients.usage.trackUsage({ events });
  await clients.usage.voidUsage({ idempotencyKeys: ["taken back"], reason: "x" });
  await clients.pricing.setSpendThresholds({ id: subscription?.id ?? "", amounts: ["1"] });
  const to = { seconds: BigInt(Date.parse("2015-06-02T00:00:00Z") / 1_000) };
  await clients.tenant.advanceClock({ destination: { case: "to", value: to } });
  await harness.drain();
  const invoiceId = (await clients.invoice.listInvoices({})).invoices[0]?.id ?? "";
  await clients.invoice.createCreditNote({ invoiceId, scope: { case: "amountMinor", value: 1n }, reason: "x" });
  await harness.drain();
}

test("row-level security alone keeps tenants apart: no statement of these names a tenant", async () => {
  const receiver = await startReceiver();
  const harness = await setup({ config: { emulator: true } });
  const other = await harness.addOrganization("Other");
  await live(harness, harness.tenant.testKey, receiver.url);
  await live(harness, other.testKey, receiver.url);
  const { rows: tables } = await harness.app.pool.query<{ name: string; part: boolean }>(`
    select c.relname as name, c.relispartition as part from pg_class c
    where c.relkind in ('r', 'p') and c.relrowsecurity and c.relnamespace = 'public'::regnamespace order by 1`);
  /** Whose rows a role sees: of tenants or, where a table has those, of organizations. */
  const seenBy = async (url: string, table: string, tenantId?: string) => {
    const place = placeOf(table);
    const client = new pg.Client(url);
    await client.connect();
    await client.query("begin");
    if (tenantId) await client.query(`set local app.tenant_id = '${tenantId}'`);
    const { rows } = await client
      .query(`select distinct ${place} as tenant_id from ${table}`)
      .catch((error: Error & { code: string }) => ({ rows: [{ tenant_id: error.code }] }));
    await client.end();
    return rows.map((row) => row.tenant_id);
  };
  const forbidden = ["42501"]; // insufficient_privilege: the role may not read the table at all
  for (const { name, part } of tables) {
    if (part) {
      // Reached through its table alone; what is purged is the worker's to see, and it has none here.
      expect([name, await seenBy(harness.database.databaseUrl, name, other.testId)]).toEqual([name, forbidden]);
      const worker = await seenBy(harness.database.workerDatabaseUrl, name);
      expect([name, worker]).toEqual([name, name.endsWith("_rest") ? [] : forbidden]);
      continue;
    }
    const isOrganizations = OF_ORGANIZATIONS.includes(name);
    const place = sql.ref(placeOf(name));
    const { rows } = await sql<{ tenants: number }>`
      select count(distinct ${place})::int as tenants from ${sql.table(name)}`.execute(harness.ownerDb);
    const tenants = rows[0]?.tenants ?? 0;
    const transient = TRANSIENT.includes(name);
    if (!transient) expect([name, tenants >= 2]).toEqual([name, true]);
    const app = await seenBy(harness.database.databaseUrl, name);
    expect([name, app]).toEqual([name, app.length > 0 ? forbidden : []]);
    const own = isOrganizations ? other.organizationId : other.testId;
    const seen = await seenBy(harness.database.databaseUrl, name, own);
    if (seen[0] !== forbidden[0] && !transient) expect([name, seen]).toEqual([name, [own]]);
    if (WORKERS_DOORS.includes(name)) continue;
    const worker = await seenBy(harness.database.workerDatabaseUrl, name);
    expect([name, worker]).toEqual([name, worker.length > 0 ? forbidden : []]);
  }
});

test("a stranger's answer to every question about another tenant's things is not found, or nothing", async () => {
  const receiver = await startReceiver();
  const harness = await setup({ config: { emulator: true } });
  await live(harness, harness.tenant.testKey, receiver.url);
  const { invoice, webhook, tenant, pricing, usage } = harness.clients;
  const stranger = harness.clientsFor((await harness.addOrganization("Other")).testKey);
  const invoices = (await invoice.listInvoices({})).invoices;
  const { creditNotes } = await invoice.listCreditNotes({});
  const deliveries = (await webhook.listDeliveries({})).deliveries;
  const endpoints = (await webhook.listEndpoints({})).endpoints;
  const { events } = await webhook.listEvents({});
  const { replays } = await webhook.listReplays({});
  const subscriptions = (await pricing.listSubscriptions({})).subscriptions;
  const keys = (await tenant.listApiKeys({})).apiKeys;
  const { usageEvents } = await usage.listUsageEvents({});
  const { discounts } = await pricing.listDiscounts({});
  const { creditGrants } = await invoice.listCreditGrants({});
  const may = { start: timestampFromDate(new Date("2015-05-01")), end: timestampFromDate(new Date("2015-06-01")) };
  const idOf = (list: readonly { id: string }[]) => (list[0] as { id: string }).id;
  const other = await harness.addOrganization("Third");
  const { tenant: owner } = harness.clientsFor(other.ownerToken);
  const first = harness.clientsFor(harness.tenant.ownerToken).tenant;
  const { members } = await first.listMembers({});
  const { accessTokens } = await first.listAccessTokens({});
  const questions = [
    owner.changeMemberRole({ id: idOf(members), role: Role.VIEWER }),
    owner.removeMember({ id: idOf(members) }),
    owner.listAccessTokens({ memberId: idOf(members) }),
    owner.revokeAccessToken({ id: idOf(accessTokens) }),
    harness.clientsFor(other.ownerToken, formatId("ten", harness.tenant.testId)).invoice.listInvoices({}),
    harness.clientsFor(other.testKey, formatId("ten", harness.tenant.testId)).invoice.listInvoices({}),
    stranger.invoice.getInvoice({ id: idOf(invoices) }),
    stranger.invoice.verifyInvoice({ id: idOf(invoices) }),
    stranger.invoice.finalizeInvoice({ id: idOf(invoices) }),
    stranger.invoice.markInvoicePaid({ id: idOf(invoices) }),
    stranger.invoice.markInvoiceUncollectible({ id: idOf(invoices), reason: "x" }),
    stranger.invoice.voidInvoice({ id: idOf(invoices), reason: "x" }),
    stranger.invoice.createCreditNote({ invoiceId: idOf(invoices), scope: { case: "full", value: true }, reason: "x" }),
    stranger.invoice.getCreditNote({ id: idOf(creditNotes) }),
    stranger.invoice.previewInvoice({ subject: { case: "customerId", value: "user_123" } }),
    stranger.invoice.previewInvoice({ subject: { case: "subscriptionId", value: idOf(subscriptions) } }),
    stranger.usage.getUsage({ metric: "API_CALL", ...may, interval: UsageInterval.DAY }),
    stranger.usage.explainUsageEvent({ idempotencyKey: usageEvents[0]?.idempotencyKey ?? "" }),
    stranger.invoice.verifyInvoice({ id: idOf(invoices) }),
    stranger.invoice.finalizeInvoice({ id: idOf(invoices) }),
    stranger.invoice.markInvoicePaid({ id: idOf(invoices) }),
    stranger.invoice.voidInvoice({ id: idOf(invoices), reason: "x" }),
    stranger.invoice.markInvoiceUncollectible({ id: idOf(invoices) }),
    stranger.invoice.previewInvoice({ subject: { case: "subscriptionId", value: idOf(subscriptions) } }),
    stranger.invoice.previewInvoice({ subject: { case: "customerId", value: "user_123" } }),
    stranger.invoice.revokeCreditGrant({ id: idOf(creditGrants) }),
    stranger.webhook.getDelivery({ id: idOf(deliveries) }),
    stranger.webhook.getEvent({ id: idOf(events) }),
    stranger.webhook.retryDelivery({ id: idOf(deliveries) }),
    stranger.webhook.skipDelivery({ id: idOf(deliveries) }),
    stranger.webhook.resendEvent({ eventId: idOf(events), endpointId: idOf(endpoints) }),
    stranger.webhook.sendTestEvent({ endpointId: idOf(endpoints) }),
    stranger.webhook.createReplay({ endpointId: idOf(endpoints) }),
    stranger.webhook.getReplay({ id: idOf(replays) }),
    stranger.webhook.cancelReplay({ id: idOf(replays) }),
    stranger.webhook.acknowledgeDelivery({ deliveryId: idOf(deliveries), attempt: 1, client: "x", status: 200 }),
    stranger.webhook.getEndpoint({ id: idOf(endpoints) }),
    stranger.webhook.updateEndpoint({ id: idOf(endpoints), url: receiver.url }),
    stranger.webhook.pauseEndpoint({ id: idOf(endpoints) }),
    stranger.webhook.resumeEndpoint({ id: idOf(endpoints) }),
    stranger.webhook.rotateEndpointSecret({ id: idOf(endpoints) }),
    stranger.webhook.deleteEndpoint({ id: idOf(endpoints) }),
    stranger.pricing.getSubscription({ id: idOf(subscriptions) }),
    stranger.pricing.changeSubscription({ id: idOf(subscriptions), quantity: 2 }),
    stranger.pricing.endSubscription({ id: idOf(subscriptions) }),
    stranger.pricing.resumeSubscription({ id: idOf(subscriptions) }),
    stranger.pricing.createDiscount({
      subscriptionId: idOf(subscriptions),
      name: "x",
      value: { case: "percent", value: "100" },
      duration: { case: "forEver", value: true },
    }),
    stranger.pricing.endDiscount({ id: idOf(discounts) }),
    stranger.pricing.setSpendThresholds({ id: idOf(subscriptions), amounts: ["1"] }),
    stranger.pricing.getPlan({ key: "pro" }),
    stranger.invoice.simulatePlan({ plan: { case: "published", value: { key: "pro" } } }),
    stranger.tenant.getCustomer({ id: "user_123" }),
    stranger.tenant.revokeApiKey({ id: idOf(keys) }),
    stranger.tenant.rotateApiKey({ id: idOf(keys) }),
  ];
  for (const answer of await Promise.allSettled(questions)) {
    expect(answer).toMatchObject({ status: "rejected", reason: { code: 5 } });
  }
  expect((await owner.listTenants({})).tenants.map(({ organization }) => organization)).toEqual(["Third", "Third"]);
  expect((await owner.listMembers({})).members.map(({ id }) => id)).not.toContain(idOf(members));
  const fee = fromJson(PlanSchema, {
    ...{ key: "fee", currency: "USD", period: "PERIOD_MONTHLY" },
    prices: [{ key: "fee", flat: { amount: "1" } }],
  });
  const lists = await Promise.all([
    stranger.invoice.listInvoices({}).then((answer) => answer.invoices),
    stranger.invoice.listCreditNotes({}).then((answer) => answer.creditNotes),
    stranger.invoice.listCreditGrants({}).then((answer) => answer.creditGrants),
    stranger.invoice.listCreditEntries({}).then((answer) => answer.creditEntries),
    stranger.webhook.listDeliveries({}).then((answer) => answer.deliveries),
    stranger.webhook.listEndpoints({}).then((answer) => answer.endpoints),
    stranger.webhook.listReplays({}).then((answer) => answer.replays),
    stranger.webhook.listEvents({ eventTypes: ["invoice.*"] }).then((answer) => answer.events),
    stranger.pricing.listSubscriptions({}).then((answer) => answer.subscriptions),
    stranger.pricing.listDiscounts({}).then((answer) => answer.discounts),
    stranger.pricing.listPlans({}).then((answer) => answer.plans),
    stranger.tenant.listCustomers({}).then((answer) => answer.customers),
    stranger.tenant.listAuditEntries({ filter: { subject: "user_123" } }).then((answer) => answer.auditEntries),
    stranger.usage.listUsageEvents({}).then((answer) => answer.usageEvents),
    stranger.usage.listUnbilledUsage({}).then((answer) => answer.unbilledUsage),
    stranger.invoice.getOpenRevenue({}).then((answer) => answer.revenues),
    stranger.usage.getUsageRate({}).then(({ minutes }) => minutes.filter(({ eventCount }) => eventCount > 0n)),
    stranger.webhook
      .getDeliveryActivity({})
      .then(({ successCount, refusedCount, unansweredCount, pendingCount }) =>
        [successCount, refusedCount, unansweredCount, pendingCount].filter((count) => count > 0n),
      ),
    stranger.invoice.simulatePlan({ plan: { case: "definition", value: fee } }).then((answer) => answer.customers),
    stranger.usage
      .voidUsage({ idempotencyKeys: usageEvents.map((event) => event.idempotencyKey), reason: "x" })
      .then((answer) => answer.results.filter((result) => result.outcome !== VoidOutcome.NOT_FOUND)),
  ]);
  expect(lists.flat()).toEqual([]);
  // What streams shows nothing either: a listener of the same name is another, and no attempt is there.
  for await (const { message } of stranger.webhook.listen({ name: "laptop", client: "laptop 1" })) {
    expect(message).toMatchObject({ case: "ready", value: { waitingCount: 0n } });
    break;
  }
  const tail = stranger.webhook.tailDeliveries({ last: 1_000, endpointId: idOf(endpoints) });
  const seen: (string | undefined)[] = [];
  for await (const { message } of tail) {
    seen.push(message.case);
    harness.clock.advance(HEARTBEAT_MS);
    if (message.case !== "ready") break;
  }
  expect(seen).toEqual(["ready", "heartbeat"]);
  expect((await stranger.tenant.listApiKeys({})).apiKeys.map((key) => key.id)).not.toContain(idOf(keys));
  const page = await invoice.listInvoices({ pageSize: 1 });
  expect(page.nextPageToken).not.toBe("");
  await expect(stranger.invoice.listInvoices({ pageToken: page.nextPageToken })).rejects.toMatchObject({ code: 3 });
});
