import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../../server/api.ts";
import type { Config } from "../../server/config.ts";
import { catalog } from "../support/catalog.ts";
import { doors, type EventInit } from "../support/doors.ts";
import { type Harness, setup } from "../support/harness.ts";
import { keyOf } from "../support/keys.ts";
import { connectJson, connectProto, grpc, grpcWeb } from "../support/wire.ts";

const events = (count: number, name: string): EventInit[] =>
  Array.from({ length: count }, (_, place) => ({
    metric: "API_CALL",
    amount: "1",
    customerId: "c",
    idempotencyKey: `${name} ${place}`,
  }));

/** A second process on the database of a harness, with limits of the test's own. */
async function startLimited(harness: Harness, config: Partial<Config>) {
  const api = await startApi(await harness.addApp({ rateBurstSeconds: 1, ...config }));
  const send = async (door: string, key: string, sent: EventInit[]) => {
    const { answer, results } = (await doors[door]?.(api.url, { "x-usageflow-api-key": key }, sent)) ?? {};
    return answer?.code === "ok" ? `${results?.length} taken` : [answer?.code, answer?.reason, answer?.retry];
  };
  return { api, send };
}

const limited = (delayMs: number) => [
  "resource_exhausted",
  "RATE_LIMITED",
  { afterSeconds: String(Math.ceil(delayMs / 1_000)), delayMs },
];

test("a tenant's usage is counted in events over every door, and refused with when to come again", async () => {
  const harness = await setup();
  const other = await harness.addOrganization("Other");
  const tenants = [harness.tenant, other];
  for (const { testKey } of tenants) await harness.clientsFor(testKey).pricing.pushCatalog({ catalog });
  const { api, send } = await startLimited(harness, { tenantEventsPerSecond: 100 });
  const { testKey } = harness.tenant;
  for (const door of Object.keys(doors)) {
    expect([door, await send(door, testKey, events(99, `${door} 1`))]).toEqual([door, "99 taken"]);
    expect([door, await send(door, testKey, events(1, `${door} 2`))]).toEqual([door, "1 taken"]);
    expect([door, await send(door, testKey, events(1, `${door} 3`))]).toEqual([door, limited(10)]);
    expect([door, await send(door, other.testKey, events(10, `${door} 4`))]).toEqual([door, "10 taken"]);
    harness.clock.advance(1_000);
  }
  const names = await harness.ownerDb.selectFrom("usage_event").select("idempotency_key").execute();
  expect(names.filter((row) => / 3 /.test(row.idempotency_key))).toEqual([]);
  await api.close();
});

test("a batch that is refused as too large costs nothing of the rate", async () => {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  const { send } = await startLimited(harness, { tenantEventsPerSecond: 100 });
  for (const door of Object.keys(doors)) {
    const answer = await send(door, harness.tenant.testKey, events(1_001, door));
    expect([door, answer[0]]).toEqual([door, "invalid_argument"]);
  }
  expect(await send("track", harness.tenant.testKey, events(1, "a"))).toBe("1 taken");
});

test("a batch that is larger than what is left is taken whole, and those after it wait for it", async () => {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  const { api, send } = await startLimited(harness, { tenantEventsPerSecond: 100 });
  const { testKey } = harness.tenant;
  expect(await send("lane", testKey, events(1, "a"))).toBe("1 taken");
  expect(await send("lane", testKey, events(1_000, "b"))).toBe("1000 taken");
  expect(await send("lane", testKey, events(1, "c"))).toEqual(limited(9_020));
  harness.clock.advance(9_019);
  expect(await send("lane", testKey, events(1, "c"))).toEqual(limited(1));
  harness.clock.advance(1);
  expect(await send("lane", testKey, events(1, "c"))).toBe("1 taken");
  await api.close();
});

test("keys have limits of their own below the tenant's, and calls are counted apart from usage", async () => {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  const second = await keyOf(harness.clients, Role.ADMIN);
  const { testKey } = harness.tenant;
  const limits = { keyCallsPerSecond: 2, tenantCallsPerSecond: 3, keyEventsPerSecond: 1 };
  const { api, send } = await startLimited(harness, limits);
  const path = "/usageflow.v1.InvoiceService/ListInvoices";
  const list = async (wire: typeof grpc, key: string, body: string) => {
    const { code, reason, message, retry } = await wire({
      ...{ url: api.url, path, body },
      headers: { "x-usageflow-api-key": key },
    });
    return code === "ok" ? "ok" : [code, reason, retry, message];
  };
  expect(await list(connectJson, testKey, "{}")).toBe("ok");
  expect(await list(grpc, testKey, "")).toBe("ok");
  for (const wire of [connectJson, connectProto, grpc, grpcWeb]) {
    const told = await list(wire, testKey, wire === connectJson ? "{}" : "");
    expect(told).toEqual([...limited(500), "this API key sends more calls than it may"]);
  }
  expect(await list(grpc, second, "")).toBe("ok");
  expect(await list(grpc, second, "")).toEqual([...limited(334), "this tenant sends more calls than it may"]);
  expect(await send("track", testKey, events(1, "a"))).toBe("1 taken");
  expect(await send("lane", testKey, events(1, "b"))).toEqual(limited(1_000));
  expect(await send("lane", second, events(1, "b"))).toBe("1 taken");
  await api.close();
});

test("what opens a stream is a call", async () => {
  const harness = await setup();
  const { api } = await startLimited(harness, { tenantCallsPerSecond: 1 });
  const headers = { "x-usageflow-api-key": harness.tenant.testKey, "grpc-timeout": "50m" };
  const open = () => grpc({ url: api.url, path: "/usageflow.v1.WebhookService/TailDeliveries", headers, body: "" });
  expect((await open()).code).toBe("deadline_exceeded");
  expect(await open()).toMatchObject({ code: "resource_exhausted", reason: "RATE_LIMITED" });
  await api.close();
});

test("a refused POST leaves its connection open for the next one, whatever body it has", async () => {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  const { api } = await startLimited(harness, { tenantEventsPerSecond: 1 });
  const { Agent, fetch } = await import("undici");
  const dispatcher = new Agent({ connections: 1 });
  let connections = 0;
  dispatcher.on("connect", () => connections++);
  const post = async (bytes: number) => {
    const event = { metric: "API_CALL", amount: 1, customerId: "c", properties: { a: "x".repeat(bytes) } };
    const response = await fetch(`${api.url}/api/track`, {
      ...{ method: "POST", dispatcher, body: JSON.stringify(event) },
      headers: { "content-type": "application/json", "x-usageflow-api-key": harness.tenant.testKey },
    });
    await response.text();
    return [response.status, response.headers.get("retry-after")];
  };
  expect(await post(1)).toEqual([200, null]);
  expect(await post(1)).toEqual([429, "1"]);
  expect(await post(3_000_000)).toEqual([429, "1"]);
  expect(await post(1)).toEqual([429, "1"]);
  expect(connections).toBe(1);
  await dispatcher.close();
  await api.close();
});
