import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { Aggregation } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { catalog } from "../support/catalog.ts";
import type { Clients } from "../support/clients.ts";
import { doors, type EventInit } from "../support/doors.ts";
import { setup } from "../support/harness.ts";

const { ACCEPTED, DUPLICATE, CONFLICT } = UsageOutcome;
const event = { metric: "API_CALL", amount: "1", customerId: "user_123", idempotencyKey: "a" };

async function start() {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  const key = harness.tenant.testKey;
  const post = (body: string) =>
    fetch(`${harness.api.url}/api/track`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-usageflow-api-key": key },
      body,
    });
  return { ...harness, post };
}

/** Outcome and field of each event. */
async function track({ usage }: Clients, ...events: EventInit[]) {
  const { results } = await usage.trackUsage({ events });
  return results.map(({ outcome, field }) => (field === "" ? outcome : [outcome, field]));
}

test("one event over POST /api/track is accepted, then a duplicate", async () => {
  const { post, drain, ownerDb } = await start();
  const body = '{"metric":"API_CALL","amount":1000,"customerId":"user_123","idempotencyKey":"a"}';
  const first = await post(body);
  expect([first.status, await first.json()]).toEqual([200, { outcome: "accepted", idempotencyKey: "a" }]);
  expect(await (await post(body)).json()).toEqual({ outcome: "duplicate", idempotencyKey: "a" });
  await drain();
  expect(await ownerDb.selectFrom("usage_bucket").selectAll().execute()).toMatchObject([{ amount_sum: "1000" }]);
});

test("a conflict over POST /api/track is 409 and names the field; an array answers 200 and each event", async () => {
  const { post } = await start();
  const say = (amount: number, key = "a") =>
    `{"metric":"API_CALL","amount":${amount},"customerId":"c","idempotencyKey":"${key}"}`;
  await post(say(1));
  const conflict = await post(say(2));
  expect([conflict.status, await conflict.json()]).toMatchObject([
    409,
    { outcome: "conflict", idempotencyKey: "a", reason: "IDEMPOTENCY_CONFLICT", field: "amount" },
  ]);
  const many = await post(`[${say(1)},${say(3)},${say(1, "b")},{}]`);
  const outcomes = (await many.json()) as { results: { outcome: string }[] };
  expect([many.status, outcomes.results.map((result) => result.outcome)]).toEqual([
    200,
    ["duplicate", "conflict", "accepted", "rejected"],
  ]);
});

test("the same key with other content is a conflict that names what differs, and the first content stands", async () => {
  const { clients, ownerDb } = await start();
  const occurredAt = timestampFromDate(new Date("2015-05-20T00:00:00Z"));
  const first = { ...event, occurredAt, properties: { path: "/" } };
  expect(await track(clients, first)).toEqual([ACCEPTED]);
  const before = await ownerDb.selectFrom("usage_event").selectAll().execute();
  const others: [EventInit, string][] = [
    [{ metric: "EGRESS_BYTES" }, "metric"],
    [{ customerId: "user_124" }, "customer_id"],
    [{ amount: "1.000000000001" }, "amount"],
    [{ properties: { path: "/x" } }, "properties"],
    [{ properties: { path: "/", more: "" } }, "properties"],
    [{ properties: {} }, "properties"],
    [{ occurredAt: timestampFromDate(new Date("2015-05-20T00:00:00.001Z")) }, "occurred_at"],
  ];
  for (const [other, field] of others) {
    expect([other, await track(clients, { ...first, ...other })]).toEqual([other, [[CONFLICT, field]]]);
  }
  const { occurredAt: _, ...untimed } = first;
  expect(await track(clients, untimed)).toEqual([[CONFLICT, "occurred_at"]]);
  expect(await track(clients, first)).toEqual([DUPLICATE]);
  expect(await ownerDb.selectFrom("usage_event").selectAll().execute()).toEqual(before);
});

test("content is what was sent: however an amount is written, it is the same", async () => {
  const { clients } = await start();
  expect(await track(clients, { ...event, amount: "1.5", properties: { a: "1", b: "2" } })).toEqual([ACCEPTED]);
  for (const amount of ["1.50", "1.5", "1.500000000000", "15e-1"]) {
    expect(await track(clients, { ...event, amount, properties: { b: "2", a: "1" } })).toEqual([DUPLICATE]);
  }
});

test("a retry that names no time is a duplicate, even when the clock has moved", async () => {
  const { clients, advanceTo, ownerDb } = await start();
  expect(await track(clients, event)).toEqual([ACCEPTED]);
  await advanceTo("2015-05-28T00:00:00Z");
  expect(await track(clients, event)).toEqual([DUPLICATE]);
  const [row] = await ownerDb.selectFrom("usage_event").selectAll().execute();
  expect(row?.occurred_at).toEqual(new Date("2015-05-21T00:00:00Z"));
});

test("within one request, the first event with a key is the one that counts", async () => {
  const { clients, drain, ownerDb } = await start();
  const other = { ...event, amount: "2" };
  const outcomes = await track(clients, event, other, event, { ...event, idempotencyKey: "b" }, other);
  const conflict = [CONFLICT, "amount"];
  expect(outcomes).toEqual([ACCEPTED, conflict, DUPLICATE, ACCEPTED, conflict]);
  await drain();
  expect(await ownerDb.selectFrom("usage_bucket").selectAll().execute()).toMatchObject([{ amount_sum: "2" }]);
});

test("fifty of the same event at the same time, through every door: exactly one is accepted", async () => {
  const { api, tenant, drain, ownerDb } = await start();
  const ways = Object.values(doors);
  const headers = { "x-usageflow-api-key": tenant.testKey };
  const calls = Array.from({ length: 50 }, (_, place) => ways[place % ways.length]?.(api.url, headers, [event]));
  const outcomes = (await Promise.all(calls)).flatMap((tracked) => tracked?.results.map(({ outcome }) => outcome));
  expect(outcomes.sort()).toEqual([ACCEPTED, ...Array(49).fill(DUPLICATE)]);
  await drain();
  expect(await ownerDb.selectFrom("usage_bucket").selectAll().execute()).toMatchObject([{ event_count: 1n }]);
});

test("keys of different tenants have nothing to do with each other", async () => {
  const { clients, clientsFor, tenant, addOrganization } = await start();
  const others = [tenant.liveKey, (await addOrganization("Other")).testKey].map((key) => clientsFor(key));
  expect(await track(clients, event)).toEqual([ACCEPTED]);
  for (const other of others) {
    await other.pricing.pushCatalog({ catalog });
    expect(await track(other, { ...event, amount: "7" })).toEqual([ACCEPTED]);
  }
});

test("an event without a key gets one, which the answer tells: sent with it again, it is a duplicate", async () => {
  const { clients } = await start();
  const { idempotencyKey: _, ...unkeyed } = event;
  const { results } = await clients.usage.trackUsage({ events: [unkeyed, unkeyed] });
  const keys = results.map((result) => result.idempotencyKey);
  expect(results.map(({ outcome }) => outcome)).toEqual([ACCEPTED, ACCEPTED]);
  expect(new Set(keys).size).toBe(2);
  expect(await track(clients, { ...unkeyed, idempotencyKey: keys[0] as string })).toEqual([DUPLICATE]);
});

test("a live tenant, of which much is remembered, knows a new metric at once", async () => {
  const { clientsFor, tenant } = await start();
  const live = clientsFor(tenant.liveKey);
  await live.pricing.pushCatalog({ catalog });
  expect(await track(live, event)).toEqual([ACCEPTED]);
  const seats = { ...event, metric: "SEATS", idempotencyKey: "seats" };
  expect(await track(live, seats)).toEqual([[UsageOutcome.REJECTED, "metric"]]);
  await live.pricing.pushCatalog({ catalog: { metrics: [{ key: "SEATS", aggregation: Aggregation.MAX }] } });
  expect(await track(live, seats)).toEqual([ACCEPTED]);
});

test("a customer that is not known is registered when its usage is folded", async () => {
  const { clients, drain } = await start();
  await track(clients, event);
  await drain();
  expect((await clients.tenant.getCustomer({ id: "user_123" })).customer?.name).toBe("");
});
