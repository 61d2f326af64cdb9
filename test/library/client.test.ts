import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import { asUsageFlowError, type UsageFlowError } from "../../cli/library/call-error.ts";
import { type Client, createClient, createService, createTransport } from "../../cli/library/client.ts";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { formatId } from "../../server/id.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";

const waits = { firstMs: 1, maxMs: 5 };

/** What a call is refused with. */
async function failure(call: Promise<unknown>): Promise<UsageFlowError> {
  return call.then(
    () => Promise.reject(new Error("it was not refused")),
    (error) => error,
  );
}

describe.each(["connect", "grpc"] as const)("a client over %s", (protocol) => {
  test("calls the five services, and tells what the server refuses with reason, field and request id", async () => {
    const { api, drain, tenant } = await setup();
    const client = createClient({ url: `${api.url}/`, apiKey: tenant.testKey, protocol });
    await client.pricing.pushCatalog({ catalog });
    const events = [{ metric: "API_CALL", amount: "1", customerId: "user_123" }];
    const { results } = await client.usage.trackUsage({ events });
    expect(results).toMatchObject([{ outcome: UsageOutcome.ACCEPTED }]);
    await drain();
    expect((await client.tenant.listCustomers({})).customers).toMatchObject([{ id: "user_123" }]);
    expect((await client.invoice.listInvoices({})).invoices).toEqual([]);
    expect((await client.webhook.listEndpoints({})).endpoints).toEqual([]);
    const missing = await failure(client.invoice.getInvoice({ id: "inv_1" }));
    expect(missing).toMatchObject({ name: "UsageFlowError", code: "not_found", reason: "NOT_FOUND" });
    expect([missing instanceof Error, missing.message, missing.requestId.length]).toEqual([
      true,
      'there is no invoice "inv_1"',
      36,
    ]);
    const wrong = await failure(client.tenant.putCustomer({ customer: { id: "" } }));
    expect(wrong).toMatchObject({ code: "invalid_argument", reason: "INVALID_FIELD", field: "customer.id" });
    const stranger = createClient({ url: api.url, apiKey: "uf_test_nonsense", protocol });
    expect(await failure(stranger.tenant.getTenant({}))).toMatchObject({ reason: "KEY_MALFORMED" });
  });
});

test("an answer that is lost after the commit is asked for again with the same key: nothing is done twice", async () => {
  const { api, clients, ownerDb, tenant } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const keys: (string | null)[] = [];
  const client = await throughTornConnections(api.url, tenant.testKey, keys);
  await client.tenant.putCustomer({ customer: { id: "a" } });
  await client.invoice.createCreditGrant({ customerId: "a", amount: "5", currency: "USD" });
  expect(await ownerDb.selectFrom("credit_grant").select("customer_id").execute()).toHaveLength(1);
  expect(keys).toHaveLength(4);
  expect(new Set(keys).size).toBe(2);
  const events = [{ metric: "API_CALL", amount: "1", customerId: "a" }];
  const { results } = await client.usage.trackUsage({ events });
  expect(results).toMatchObject([{ outcome: UsageOutcome.DUPLICATE }]);
  expect(await ownerDb.selectFrom("usage_event").selectAll().execute()).toHaveLength(1);
  expect(events).toEqual([{ metric: "API_CALL", amount: "1", customerId: "a" }]);
});

/** A client by a proxy of which every second answer is torn off: the first, the third, and so on. */
async function throughTornConnections(target: string, apiKey: string, keys: (string | null)[]): Promise<Client> {
  const { createServer: createHttp } = await import("node:http");
  let count = 0;
  const server = createHttp(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = new Headers();
    for (const name of ["authorization", "content-type", "connect-protocol-version", "idempotency-key"]) {
      const value = request.headers[name];
      if (typeof value === "string") headers.set(name, value);
    }
    keys.push(headers.get("idempotency-key"));
    const answer = await fetch(`${target}${request.url}`, { method: "POST", headers, body: Buffer.concat(chunks) });
    const body = Buffer.from(await answer.arrayBuffer());
    if (count++ % 2 === 0) return response.destroy();
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" }).end(body);
  }).listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createClient({ url, apiKey, retryWaits: waits });
}

describe("a call that fails in passing", () => {
  test("is made again, up to four times, and then told", async () => {
    const receiver = await startReceiver();
    receiver.behave(answer(503, "<html>"));
    const { origin: url } = new URL(receiver.url);
    const client = createClient({ url, apiKey: "uf_test_1", retryWaits: waits });
    expect(await failure(client.tenant.getTenant({}))).toMatchObject({
      code: "unavailable",
      reason: "",
      requestId: "",
    });
    expect(receiver.got).toHaveLength(4);
    const once = createClient({ url, apiKey: "uf_test_1", attemptsMax: 1 });
    await failure(once.tenant.getTenant({}));
    expect(receiver.got).toHaveLength(5);
  });

  test("waits as long as the server asks, or leaves it to the caller when that is too long", async () => {
    const receiver = await startReceiver();
    receiver.behave(answer(503, "", { "retry-after": "120" }));
    const { origin: url } = new URL(receiver.url);
    const client = createClient({ url, apiKey: "uf_test_1" });
    expect(await failure(client.tenant.getTenant({}))).toMatchObject({ retryAfterMs: 120_000 });
    expect(receiver.got).toHaveLength(1);
  });

  test("is told with the caller's own deadline when that comes first", async () => {
    const receiver = await startReceiver();
    receiver.behave(() => {});
    const { origin: url } = new URL(receiver.url);
    const client = createClient({ url, apiKey: "uf_test_1" });
    expect(await failure(client.tenant.getTenant({}, { timeoutMs: 50 }))).toMatchObject({ code: "deadline_exceeded" });
    expect(receiver.got).toHaveLength(1);
  });
});

test("a refusal is not asked for again, and a key of the caller's own is left as it is", async () => {
  const receiver = await startReceiver();
  const refusal = { code: "invalid_argument", message: "no" };
  receiver.behave(answer(400, JSON.stringify(refusal), { "content-type": "application/json" }));
  const client = createClient({ url: new URL(receiver.url).origin, apiKey: "uf_test_1" });
  const headers = { "idempotency-key": "mine" };
  await failure(client.tenant.putCustomer({ customer: { id: "a" } }, { headers }));
  await failure(client.tenant.getTenant({}));
  await failure(client.usage.trackUsage({ events: [{ customerId: "a", idempotencyKey: "b" }] }));
  expect(receiver.got.map((got) => got.headers["idempotency-key"] ?? "")).toEqual(["mine", "", ""]);
});

test("a member's token is used at a tenant, or at the organization", async () => {
  const { api, tenant } = await setup();
  const access = { url: api.url, accessToken: tenant.ownerToken };
  const atTenant = createClient({ ...access, tenant: "live" });
  expect((await atTenant.tenant.getTenant({})).tenant?.id).toBe(formatId("ten", tenant.liveId));
  const { members } = await createClient(access).tenant.listMembers({});
  expect(members).toHaveLength(1);
});

test("a stream tells its errors as calls do, and one service can be had alone", async () => {
  const { api, tenant } = await setup();
  const client = createClient({ url: api.url, apiKey: tenant.testKey });
  const read = async () => {
    for await (const _ of client.webhook.listen({ name: "" })) return;
  };
  expect(await failure(read())).toMatchObject({ name: "UsageFlowError", reason: "INVALID_FIELD" });
  const usage = createService(UsageService, createTransport({ url: api.url, apiKey: tenant.testKey }));
  expect((await usage.getUsageRate({})).minutes).toHaveLength(60);
});

test("a RetryInfo says how long to wait, and goes before the header", () => {
  const delay = toBinary(DurationSchema, { $typeName: "google.protobuf.Duration", seconds: 2n, nanos: 500_000_000 });
  const value = Uint8Array.from([0x0a, delay.length, ...delay]);
  const error = new ConnectError("busy", Code.ResourceExhausted, { "retry-after": "9" });
  expect(asUsageFlowError(error).retryAfterMs).toBe(9_000);
  error.details.push({ type: "google.rpc.RetryInfo", value });
  expect(asUsageFlowError(error).retryAfterMs).toBe(2_500);
  error.details.splice(0, 1, { type: "google.rpc.RetryInfo", value: Uint8Array.of(0xff) });
  expect(asUsageFlowError(error).retryAfterMs).toBeUndefined();
});

test("a connection that breaks in the middle of gRPC is one that passes", async () => {
  let calls = 0;
  const server = createServer();
  server.on("stream", (stream) => {
    calls++;
    stream.session?.destroy();
  });
  server.on("sessionError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createClient({ url, apiKey: "uf_test_1", protocol: "grpc", retryWaits: waits });
  await failure(client.tenant.getTenant({}));
  expect(calls).toBe(4);
});
