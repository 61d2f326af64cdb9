import { expect, test } from "vitest";
import { inTenant } from "../../server/db/database.ts";
import { newId } from "../../server/id.ts";
import { beginIn, traceTx } from "../../server/observe/tx-trace.ts";
import { foldUsageOfAllTenants } from "../../server/usage/fold-usage.ts";
import { catalog } from "../support/catalog.ts";
import { pathOf, type SentSpan, startCollector } from "../support/collector.ts";
import { setup } from "../support/harness.ts";
import { type Received, startReceiver } from "../support/receiver.ts";

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const traceparent = `00-${CALLER.traceId}-${CALLER.spanId}-01`;

async function traced() {
  const collector = await startCollector();
  const receiver = await startReceiver();
  const harness = await setup({ config: { emulator: true, otlpTracesUrl: collector.url } });
  await harness.clients.pricing.pushCatalog({ catalog });
  await harness.clients.webhook.createEndpoint({ url: receiver.url });
  const track = (events: unknown, headers: Record<string, string> = {}, secret = harness.tenant.testKey) =>
    fetch(`${harness.api.url}/api/track`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-usageflow-api-key": secret, ...headers },
      body: JSON.stringify(events),
    });
  return { ...harness, collector, receiver, track };
}

const event = (customerId: string) => ({ metric: "API_CALL", amount: 482, customerId });
const typeOf = ({ body }: Received): string => JSON.parse(body).type;

test("one trace follows a usage event from its request to the webhook of its invoice", async () => {
  const { app, collector, receiver, track, advanceTo } = await traced();
  expect((await track(event("ann"), { traceparent })).status).toBe(200);
  await advanceTo("2015-06-01T01:00:00Z");
  const spans = await collector.spans(app);
  const attempt = spans.find(({ name, facts }) => name === "delivery.attempt" && facts.type === "invoice.finalized");
  const path = ["rpc", "usage.commit", "usage.fold", "invoice.draft", "invoice.finalize", "delivery.attempt"];
  expect(pathOf(spans, attempt as SentSpan)).toEqual(path);
  const own = spans.filter(({ traceId }) => traceId === CALLER.traceId);
  const [rpc] = own.filter(({ name }) => name === "rpc");
  expect(rpc).toMatchObject({ parentSpanId: CALLER.spanId, facts: { method: "POST /api/track", code: "ok" } });
  expect(own.map(({ name }) => name)).toContain("event.dispatch");
  const sent = receiver.got.find((one) => typeOf(one) === "invoice.finalized");
  expect(sent?.headers.traceparent).toBe(`00-${CALLER.traceId}-${attempt?.spanId}-01`);
  // Its customer was made by it, too.
  const created = receiver.got.find((one) => typeOf(one) === "customer.created");
  expect(created?.headers.traceparent).toContain(CALLER.traceId);
});

test("requests that share a commit keep their traces, each linked to the one that leads on; tenants share none", async () => {
  const { app, collector, track, tenant, addOrganization, clientsFor } = await traced();
  const other = await addOrganization("Other");
  await clientsFor(other.testKey).pricing.pushCatalog({ catalog });
  const both = [tenant.testKey, other.testKey];
  await Promise.all(both.flatMap((key) => ["ann", "bob", "cem"].map((customer) => track(event(customer), {}, key))));
  await foldUsageOfAllTenants(app);
  const spans = await collector.spans(app);
  const requests = spans.filter(({ facts }) => facts.method === "POST /api/track");
  const commits = spans.filter(({ name }) => name === "usage.commit");
  expect(requests).toHaveLength(6);
  expect(commits.map(({ parentSpanId }) => parentSpanId).sort()).toEqual(requests.map(({ spanId }) => spanId).sort());
  const tenantOf = new Map(requests.map(({ traceId, facts }) => [traceId, facts.tenant_id]));
  const folds = spans.filter(({ name }) => name === "usage.fold");
  for (const fold of folds) expect(tenantOf.get(fold.traceId)).toBe(fold.facts.tenant_id);
  for (const { spanId, traceId, links } of commits) {
    const leads = folds.some(({ parentSpanId }) =>
      [spanId, ...links.map((link) => link.spanId)].includes(parentSpanId),
    );
    expect(leads).toBe(true);
    for (const link of links) expect(tenantOf.get(link.traceId)).toBe(tenantOf.get(traceId));
  }
});

test("a caller who is not traced is not; what begins here is", async () => {
  const { app, clients, collector, receiver, track, drain } = await traced();
  await track(event("ann"), { traceparent: traceparent.replace(/01$/, "00") });
  await clients.tenant.putCustomer({ customer: { id: "bob" } });
  await drain();
  const spans = await collector.spans(app);
  expect(spans.map(({ traceId }) => traceId)).not.toContain(CALLER.traceId);
  const attempts = spans.filter(({ name }) => name === "delivery.attempt");
  const sent = receiver.got.map(({ headers }) => headers.traceparent).sort();
  expect(sent).toEqual(attempts.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`).sort());
  const ofCall = spans.find(({ facts }) => facts.method === "usageflow.v1.TenantService/PutCustomer");
  expect(attempts.map(({ traceId }) => traceId)).toContain(ofCall?.traceId);
});

test("what is rolled back leaves no span", async () => {
  const { app, collector, tenant } = await traced();
  const work = (fails: boolean) =>
    inTenant(app.workerDb, tenant.testId, async (tx) => {
      traceTx(tx, app.observer);
      beginIn(tx, "usage.fold").end({ batches: fails ? 1 : 2 });
      if (fails) throw new Error("no");
    });
  await work(true).catch(() => {});
  await work(false);
  const folds = (await collector.spans(app)).filter(({ name }) => name === "usage.fold");
  expect(folds.map(({ facts }) => Number(facts.batches))).toEqual([2]);
});

test("where nothing is traced no row and no webhook says so, whatever a caller sends", async () => {
  const receiver = await startReceiver();
  const { api, clients, ownerDb, tenant, advanceTo } = await setup({ config: { emulator: true } });
  await clients.pricing.pushCatalog({ catalog });
  await clients.webhook.createEndpoint({ url: receiver.url });
  const headers = { "content-type": "application/json", "x-usageflow-api-key": tenant.testKey, traceparent };
  await fetch(`${api.url}/api/track`, { method: "POST", headers, body: JSON.stringify(event("ann")) });
  await advanceTo("2015-06-01T01:00:00Z");
  expect(receiver.got.length).toBeGreaterThan(3);
  expect(receiver.got.filter((one) => "traceparent" in one.headers)).toEqual([]);
  for (const table of ["usage_fold", "invoice", "outbox_event"] as const) {
    const rows = await ownerDb.selectFrom(table).select("trace").execute();
    expect([table, rows.length > 0, rows.filter(({ trace }) => trace !== null)]).toEqual([table, true, []]);
  }
});

test("a server of the version before stores usage without naming a trace", async () => {
  const { app, tenant } = await setup();
  const { rows } = await app.pool.query({
    text: "select ingest_usage($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    rowMode: "array",
    values: [
      [tenant.testId],
      ["k"],
      ["M"],
      ["ann"],
      ["1"],
      [app.clock.now()],
      [false],
      ["{}"],
      newId(),
      app.clock.now(),
    ],
  });
  expect(rows).toEqual([["accepted"]]);
});
