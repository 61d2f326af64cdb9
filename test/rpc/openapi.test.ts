import { getOption, type JsonObject } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { Place, place, Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";
import { openApi, openApiProblems, watchedClients } from "../support/open-api.ts";
import { startReceiver } from "../support/receiver.ts";
import { SERVER_KEYS } from "../support/secret-scan.ts";
import { services } from "../support/services.ts";

const unary = services.flatMap((service) => service.methods.filter((method) => method.methodKind === "unary"));

test("the document has each unary method and nothing else, and each reference in it leads somewhere", () => {
  const paths = unary.map((method) => `/${method.parent.typeName}/${method.name}`);
  expect(Object.keys(openApi.paths).toSorted()).toEqual(["/api/track", ...paths].toSorted());
  for (const name of Object.keys(openApi.components.schemas)) openApiProblems(name, {}); // compiles, strictly
  const references = JSON.stringify(openApi).match(/"#\/components\/[^"]+"/g) ?? [];
  const leads = (path: string) =>
    path
      .split("/")
      .slice(1)
      .reduce<unknown>((at, part) => (at as JsonObject | undefined)?.[part], openApi) !== undefined;
  expect(new Set(references.map((one) => JSON.parse(one) as string).filter((one) => !leads(one)))).toEqual(new Set());
});

test("every route refuses a stranger and an unknown field, as the document says", async () => {
  const { api, clientsFor, tenant } = await setup({ config: { operatorKey: SERVER_KEYS.operator } });
  const { code } = await clientsFor(tenant.ownerToken).tenant.inviteMember({ email: "a@b.example", role: Role.VIEWER });
  const keys: Record<Place, string> = {
    [Place.UNSPECIFIED]: tenant.testKey,
    [Place.EITHER]: tenant.testKey,
    [Place.ORGANIZATION]: tenant.ownerToken,
    [Place.SERVER]: SERVER_KEYS.operator.toString("base64"),
    [Place.INVITE]: code,
  };
  const placeOf = (path: string) => {
    const method = unary.find((one) => path === `/${one.parent.typeName}/${one.name}`);
    return method ? getOption(method, place) : Place.UNSPECIFIED;
  };
  const post = async (path: string, body: JsonObject, key?: string) => {
    const headers = { "content-type": "application/json", ...(key ? { "x-usageflow-api-key": key } : {}) };
    const response = await fetch(`${api.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as JsonObject };
  };
  for (const path of Object.keys(openApi.paths)) {
    const refusal = path === "/api/track" ? "TrackRefusal" : "Refusal";
    const stranger = await post(path, {});
    expect([path, stranger.status]).toEqual([path, 401]);
    expect([path, openApiProblems(refusal, stranger.body)]).toEqual([path, []]);
    const unknown = await post(path, { surprise: 1 }, keys[placeOf(path)]);
    expect([path, unknown.status]).toEqual([path, 400]);
    const schema = path === "/api/track" ? "TrackResult" : refusal;
    expect([path, openApiProblems(schema, unknown.body)]).toEqual([path, []]);
  }
});

test("POST /api/track takes and answers what the document says", async () => {
  const { api, tenant, clients } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const event = { metric: "API_CALL", amount: 1.5, customerId: "user_123", idempotencyKey: "a", properties: { n: 1 } };
  const cases: [JsonObject | JsonObject[], number, string][] = [
    [event, 200, "TrackResult"],
    [{ ...event, amount: "2" }, 409, "TrackResult"],
    [{ ...event, metric: "NONE" }, 400, "TrackResult"],
    [[event, { ...event, amount: "2" }, { ...event, customerId: "" }], 200, "TrackResults"],
    [[], 400, "TrackRefusal"],
  ];
  for (const [body, status, schema] of cases) {
    for (const one of [body].flat()) expect(openApiProblems("TrackEvent", one)).toEqual([]);
    const response = await fetch(`${api.url}/api/track`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${tenant.testKey}` },
      body: JSON.stringify(body),
    });
    expect([body, response.status]).toEqual([body, status]);
    expect(openApiProblems(schema, (await response.json()) as JsonObject)).toEqual([]);
  }
});

test("what the routes that read answer is what the document says", async () => {
  const receiver = await startReceiver();
  const { api, tenant, drain } = await setup({ config: { emulator: true } });
  const { clients, answered, problems } = watchedClients(api.url, tenant.testKey);
  const organization = watchedClients(api.url, tenant.ownerToken);
  const { invoice, pricing, tenant: own, usage, webhook } = clients;
  await pricing.pushCatalog({ catalog });
  const { endpoint } = await webhook.createEndpoint({ url: receiver.url });
  await own.putCustomer({ customer: { id: "user_123", name: "Ada" } });
  const { subscription } = await pricing.startSubscription({ customerId: "user_123", plan: "pro" });
  await usage.trackUsage({ events: [{ metric: "API_CALL", amount: "150", customerId: "user_123" }] });
  await invoice.createCreditGrant({ customerId: "user_123", currency: "USD", amount: "1" });
  const june = { seconds: BigInt(Date.parse("2015-06-02T00:00:00Z") / 1_000) };
  await own.advanceClock({ destination: { case: "to", value: june } });
  await drain();
  const replay = (await webhook.createReplay({ endpointId: endpoint?.id ?? "" })).replay?.id ?? "";
  await drain();

  const { invoices } = await invoice.listInvoices({});
  const id = invoices[0]?.id ?? "";
  const { creditNote } = await invoice.createCreditNote({
    invoiceId: id,
    scope: { case: "full", value: true },
    reason: "x",
  });
  const { deliveries } = await webhook.listDeliveries({});
  const { events } = await webhook.listEvents({});
  const { usageEvents } = await usage.listUsageEvents({});
  const [start, end] = ["2015-05-01", "2015-06-01"].map((day) => timestampFromDate(new Date(day)));
  const span = { ...(start && end ? { start, end } : {}) };
  await Promise.all([
    invoice.getInvoice({ id }),
    invoice.verifyInvoice({ id }),
    invoice.previewInvoice({ subject: { case: "customerId", value: "user_123" } }),
    invoice.listCreditNotes({}),
    invoice.getCreditNote({ id: creditNote?.id ?? "" }),
    invoice.listCreditGrants({}),
    invoice.listCreditEntries({}),
    invoice.getOpenRevenue({}),
    invoice.simulatePlan({ plan: { case: "published", value: { key: "pro" } } }),
    pricing.pullCatalog({}),
    pricing.getPlan({ key: "pro" }),
    pricing.listPlans({}),
    pricing.previewPrice({
      price: { key: "call", metric: "API_CALL", model: { case: "perUnit", value: { unitAmount: "1" } } },
      currency: "USD",
    }),
    pricing.listDiscounts({}),
    pricing.listSubscriptions({}),
    pricing.getSubscription({ id: subscription?.id ?? "" }),
    own.getTenant({}),
    own.listApiKeys({}),
    own.listAuditEntries({}),
    own.verifyAudit({}),
    organization.clients.tenant.getOrganization({}),
    organization.clients.tenant.listTenants({}),
    organization.clients.tenant.listMembers({}),
    organization.clients.tenant.listAccessTokens({}),
    own.getCustomer({ id: "user_123" }),
    own.listCustomers({}),
    usage.getUsage({ metric: "API_CALL", ...span, interval: UsageInterval.DAY }),
    usage.explainUsageEvent({ idempotencyKey: usageEvents[0]?.idempotencyKey ?? "" }),
    usage.listUnbilledUsage({}),
    usage.getUsageRate({}),
    webhook.listEndpoints({}),
    webhook.getEndpoint({ id: endpoint?.id ?? "" }),
    webhook.listEventTypes({}),
    webhook.getDelivery({ id: deliveries[0]?.id ?? "" }),
    webhook.getEvent({ id: events[0]?.id ?? "" }),
    webhook.listReplays({}),
    webhook.getReplay({ id: replay }),
    webhook.getDeliveryActivity({}),
  ]);
  expect([...problems, ...organization.problems]).toEqual([]);
  const reads = unary
    .filter((method) => method.idempotency === 1)
    .map((method) => `${method.parent.name}/${method.name}`);
  expect(reads.filter((name) => !answered.has(name) && !organization.answered.has(name))).toEqual([]);
});
