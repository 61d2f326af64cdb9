import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../../server/api.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { catalog } from "../support/catalog.ts";
import { startCollector } from "../support/collector.ts";
import { doors, TRACK_USAGE } from "../support/doors.ts";
import { type SetupOptions, setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { readScrape, sumOf } from "../support/scrape.ts";
import { holding, untilWaiting } from "../support/waiting.ts";

const KEY = "x-usageflow-api-key";

async function logged(options: SetupOptions = {}) {
  const lines: string[] = [];
  const harness = await setup({ ...options, lines, config: { emulator: true, logLevel: "debug", ...options.config } });
  const of = (event: string) => lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === event);
  return { ...harness, lines, of };
}

test("each call is one line with all facts, through every door, and with the request id that its caller got", async () => {
  const { api, clients, tenant, of } = await logged();
  await clients.pricing.pushCatalog({ catalog });
  const transports = {
    track: "http",
    connectJson: "connect",
    connectProto: "connect",
    lane: "grpc",
    grpc: "grpc",
    grpcWeb: "grpc_web",
  };
  for (const [name, track] of Object.entries(doors)) {
    const event = { metric: "API_CALL", amount: "1", customerId: "ann", idempotencyKey: name };
    const { answer } = await track(api.url, { [KEY]: tenant.testKey }, [event, { ...event, metric: "NONE" }]);
    const line = of("rpc").at(-1);
    expect(line).toMatchObject({
      request_id: answer.requestId,
      method: name === "track" ? "POST /api/track" : "usageflow.v1.UsageService/TrackUsage",
      transport: transports[name as keyof typeof transports],
      code: "ok",
      address: "127.0.0.1",
      tenant_id: expect.stringMatching(/^ten_/),
      key_id: expect.stringMatching(/^key_/),
      events: 2,
      accepted: 1,
      rejected: 1,
      duration_ms: expect.any(Number),
    });
  }
  expect(of("rpc")).toHaveLength(1 + Object.keys(doors).length);
});

test("a refused call is a line too: without a key, by the contract, and what cannot even be read", async () => {
  const { api, clients, tenant, of } = await logged();
  const send = (headers: Record<string, string>, body: string) =>
    fetch(`${api.url}/usageflow.v1.InvoiceService/GetInvoice`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
  const answers = [
    await send({}, "{}"),
    await send({ [KEY]: tenant.testKey }, "{"),
    await send({ [KEY]: tenant.testKey }, '{"id":""}'),
    await send({ [KEY]: tenant.testKey, "content-type": "text/plain" }, "{}"),
  ];
  await refused(clients.invoice.getInvoice({ id: "INV-000404" }));
  await fetch(`${api.url}/usageflow.v1.InvoiceService/Nothing`, { method: "POST" });
  const lines = of("rpc");
  expect(lines.map(({ code }) => code)).toEqual([
    ...["unauthenticated", "invalid_argument", "invalid_argument", "invalid_argument", "not_found", "unimplemented"],
  ]);
  expect(lines.at(-1).method).toBe("none");
  for (const [place, response] of answers.slice(0, 3).entries()) {
    expect(lines[place].request_id).toBe(response.headers.get("x-request-id"));
  }
});

test("a refused call's line says why and from where, and so do the metrics, with what never became a call", async () => {
  const { api, clients, of, addApp, tenant } = await logged();
  await refused(clients.invoice.getInvoice({ id: "INV-000404" }));
  await fetch(`${api.url}/nothing`);
  expect(of("rpc")).toMatchObject([
    { code: "not_found", reason: "NOT_FOUND", address: "127.0.0.1" },
    { code: "unimplemented", reason: "UNKNOWN_ROUTE", address: "127.0.0.1" },
  ]);
  const metricsToken = "a-token-of-the-operator";
  const limits = { tenantCallsPerSecond: 1, rateBurstSeconds: 1, headersTimeoutMs: 100, connectionsMax: 8 };
  const app = await addApp({ metricsToken, ...limits });
  const limited = await startApi(app);
  onTestFinished(() => limited.close());
  const call = () =>
    fetch(`${limited.url}/usageflow.v1.TenantService/GetTenant`, {
      method: "POST",
      headers: { "content-type": "application/json", [KEY]: tenant.testKey },
      body: "{}",
    });
  expect([(await call()).status, (await call()).status]).toEqual([200, 429]);
  expect(of("rpc").at(-1)).toMatchObject({ code: "resource_exhausted", reason: "RATE_LIMITED" });
  for (const bytes of ["?\r\n\r\n", `GET / HTTP/1.1\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, "GET / HTTP/1.1\r\n"]) {
    const socket = connect(limited.port, "127.0.0.1");
    socket.write(bytes);
    await socket.toArray().catch(() => []);
  }
  const open = Array.from({ length: 10 }, () => connect(limited.port, "127.0.0.1"));
  onTestFinished(() => open.forEach((socket) => void socket.destroy()));
  await Promise.race(open.map((socket) => once(socket, "close"))); // without an answer
  for (const socket of open) socket.destroy();
  const told = readScrape(await app.observer.scrape());
  expect(sumOf(told, "usageflow_rpc_refusals_total", { reason: "RATE_LIMITED" })).toBe(1);
  const refusedFor = (reason: string) => sumOf(told, "usageflow_connections_refused_total", { reason });
  expect(["unreadable", "too_large", "too_slow"].map(refusedFor)).toEqual([1, 1, 1]);
  expect(refusedFor("too_many")).toBeGreaterThan(0);
});

test("a call whose client goes while its key is looked up is a line, too", async () => {
  const { api, clients, ownerDb, of } = await logged();
  const { secret: one } = await clients.tenant.createApiKey({ role: Role.INGEST });
  const { secret: other } = await clients.tenant.createApiKey({ role: Role.INGEST });
  const before = of("rpc").length;
  const letGo = await holding(ownerDb, sql`lock table api_key in access exclusive mode`);
  const session = connectHttp2(api.url);
  const stream = session.request({
    [KEY]: one,
    ":method": "POST",
    ":path": TRACK_USAGE,
    "content-type": "application/grpc",
  });
  stream.on("error", () => {}).write(Buffer.alloc(3));
  await untilWaiting(ownerDb);
  const socket = connect(api.port, "127.0.0.1");
  socket.write(
    `POST /api/track HTTP/1.1\r\nhost: x\r\n${KEY}: ${other}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{`,
  );
  await untilWaiting(ownerDb, 2);
  socket.destroy();
  stream.close(8);
  session.destroy();
  await letGo();
  await expect
    .poll(() =>
      of("rpc")
        .slice(before)
        .map(({ code, reason }) => [code, reason]),
    )
    .toEqual(Array(2).fill(["invalid_argument", "MALFORMED_BODY"]));
});

test("the line of a member's call says who it is, at a tenant and at the organization", async () => {
  const { clientsFor, tenant, of } = await logged();
  await clientsFor(tenant.ownerToken).tenant.listMembers({});
  await clientsFor(tenant.ownerToken, "test").tenant.getTenant({});
  const lines = of("rpc");
  const member = { member_id: expect.stringMatching(/^mem_/), key_id: expect.stringMatching(/^tok_/) };
  for (const line of lines) expect(line).toMatchObject({ ...member, organization_id: expect.stringMatching(/^org_/) });
  expect(lines.map(({ tenant_id }) => tenant_id !== undefined)).toEqual([false, true]);
});

test("a stream whose client goes is one line: canceled", async () => {
  const { clients, of } = await logged();
  const gone = new AbortController();
  const stream = clients.webhook.tailDeliveries({}, { signal: gone.signal })[Symbol.asyncIterator]();
  await stream.next(); // a heartbeat
  gone.abort();
  await stream.next().catch(() => {});
  await expect
    .poll(() => of("rpc").map(({ method, code }) => [method, code]))
    .toEqual([["usageflow.v1.WebhookService/TailDeliveries", "canceled"]]);
});

test("each attempt is one line with what came of it, and what follows", async () => {
  const { app, clients, of, drain } = await logged();
  const receiver = await startReceiver();
  receiver.behave(answer(503, "later"));
  await clients.webhook.createEndpoint({ url: receiver.url });
  await clients.tenant.putCustomer({ customer: { id: "ann" } });
  await drain();
  await deliver(app);
  expect(of("delivery.attempted")).toEqual([
    expect.objectContaining({
      ...{ type: "customer.created", attempt: 1, status: 503, result: "retried", error_kind: "STATUS" },
      ...{ tenant_id: expect.stringMatching(/^ten_/), endpoint_id: expect.stringMatching(/^whe_/) },
      ...{ delivery_id: expect.stringMatching(/^whd_/), event_id: expect.stringMatching(/^evt_/) },
      ...{ duration_ms: expect.any(Number), first_byte_ms: expect.any(Number) },
      next_attempt_at: expect.stringMatching(/Z$/),
    }),
  ]);
});

test("nothing that a caller, a receiver or the database says is in a line, a metric or a span", async () => {
  const collector = await startCollector();
  const { api, app, clients, clientsFor, tenant, lines, ownerDb, drain } = await logged({
    config: { otlpTracesUrl: collector.url, metricsToken: "a-token-of-the-operator" },
  });
  const canary = (place: string) => `canary${place}`;
  await clients.pricing.pushCatalog({ catalog });
  const receiver = await startReceiver();
  receiver.behave(answer(500, canary("answer"), { "x-told": canary("told") }));
  const url = `${receiver.url}/${canary("path")}?key=${canary("query")}`;
  const { secret } = await clients.webhook.createEndpoint({ url, headers: { "x-own": canary("own") } });
  const withUser = url.replace("://", `://user:${canary("password")}@`);
  await clients.webhook.createEndpoint({ url: withUser }).catch(() => {});
  await clients.webhook.createEndpoint({ url: `http://localhost:1/?${canary("refused")}` });

  const owner = clientsFor(tenant.ownerToken).tenant;
  const { code } = await owner.inviteMember({ email: `${canary("email")}@example.com`, role: Role.VIEWER });
  const { secret: token } = await clientsFor(code).tenant.acceptInvite({ name: canary("member") });
  await refused(clientsFor(token).tenant.inviteMember({ email: "x@example.com", role: Role.OWNER }));

  const headers = {
    ...{
      "user-agent": canary("agent"),
      cookie: canary("cookie"),
      "x-request-id": canary("id"),
      referer: canary("referer"),
    },
    ...{ traceparent: canary("trace"), "x-forwarded-for": canary("proxy"), "idempotency-key": canary("idempotency") },
  };
  const event = { metric: "API_CALL", amount: "1", customerId: canary("customer"), idempotencyKey: canary("key") };
  for (const track of Object.values(doors)) {
    await track(api.url, { ...headers, [KEY]: tenant.testKey }, [{ ...event, properties: { note: canary("note") } }]);
    await track(api.url, { ...headers, [KEY]: canary("wrongkey") }, [event]);
    await track(api.url, { ...headers, authorization: `Bearer ${canary("bearer")}` }, [event]);
    await track(api.url, { ...headers, [KEY]: tenant.testKey }, [
      { ...event, metric: canary("metric"), amount: canary("amount") },
    ]);
  }
  await fetch(`${api.url}/${canary("route")}?${canary("routequery")}`, { headers });
  await clients.tenant.putCustomer({ customer: { id: "ann", name: canary("name") } });
  await drain();
  // The database says what it was given: in its words, in its detail, in a stack.
  await ownerDb.schema.alterTable("usage_event").dropColumn("properties").execute();
  for (const track of Object.values(doors)) {
    await track(api.url, { [KEY]: tenant.testKey }, [{ ...event, idempotencyKey: canary("later") }]);
  }
  const metrics = await app.observer.scrape();
  await collector.spans(app);
  const all = { lines: lines.join("\n"), metrics, spans: collector.text() };
  expect(lines.filter((line) => line.includes("rpc.fault")).length).toBeGreaterThan(0);
  expect(collector.text().length).toBeGreaterThan(1_000);
  for (const [where, text] of Object.entries(all)) {
    expect([where, text.match(/.{0,80}canary\w*/g)]).toEqual([where, null]);
    for (const own of [tenant.testKey, tenant.ownerToken, secret, code, token])
      expect([where, text.includes(own)]).toEqual([where, false]);
  }
});
