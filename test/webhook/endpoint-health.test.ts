import { fromJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { WebhookBodySchema } from "../../gen/usageflow/v1/event_pb.ts";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { afterFailures } from "../../server/webhook/endpoint-health.ts";
import { answer, type Receiver, startReceiver } from "../support/receiver.ts";
import { setupDeliveries } from "./deliveries.ts";
import { stageEvents, times } from "./stage-events.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const NOW = new Date("2015-06-01T00:00:00Z");

const told = (receiver: Receiver, noun: RegExp) =>
  receiver.got.map(({ body }) => fromJsonString(WebhookBodySchema, body)).filter(({ type }) => noun.test(type));

describe("after failures", () => {
  const failed = (status: number, retryAfterMs?: number) => ({ status, error: "", retryAfterMs });
  const rest = (count: number, attempt = failed(500), breakerFailures = 10) => {
    const before = count > 1 ? { failing_since: NOW, failure_count: count - 1, rest_until: null } : undefined;
    const { rest_until } = afterFailures(before, [attempt], { breakerFailures }, NOW);
    return rest_until ? rest_until.getTime() - NOW.getTime() : 0;
  };

  test("an endpoint rests when there were ten in a row, twice as long each time, a minute at most", () => {
    expect([1, 9, 10, 11, 12, 15, 16, 17, 1_000_000].map((count) => rest(count))).toEqual([
      0, 0, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000,
    ]);
  });

  test.each([429, 502, 503, 504])("it rests at once when one answered %i", (status) => {
    expect([1, 2, 3].map((count) => rest(count, failed(status)))).toEqual([1_000, 2_000, 4_000]);
    expect(rest(1, failed(status, 90_000))).toBe(90_000);
  });

  test("it never rests without a breaker", () => {
    expect(rest(1_000, failed(503, 90_000), 0)).toBe(0);
  });
});

describe("a receiver that asks for time", () => {
  test("gets it: the delivery waits as Retry-After says, when that is longer than the schedule", async () => {
    const { app, clock, receiver, only } = await setupDeliveries(1, { breakerFailures: 0 });
    receiver.behave(answer(503, "", { "retry-after": "90" }));
    await deliver(app);
    const { nextAttemptAt } = await only();
    expect(nextAttemptAt && timestampMs(nextAttemptAt) - clock.now().getTime()).toBe(90 * SECOND);
    clock.advance(89 * SECOND);
    expect(await deliver(app)).toBe(0);
    clock.advance(SECOND);
    expect(await deliver(app)).toBe(1);
  });

  test("gets no more than the cap, and no less than the schedule", async () => {
    const { app, clock, receiver, only } = await setupDeliveries(1, { retryAfterMaxMs: HOUR });
    receiver.behave(answer(429, "", { "retry-after": "86400" }));
    await deliver(app);
    const first = await only();
    expect(first.nextAttemptAt && timestampMs(first.nextAttemptAt) - clock.now().getTime()).toBe(HOUR);
    clock.advance(HOUR);
    receiver.behave(answer(429, "", { "retry-after": "1" }));
    await deliver(app);
    const second = await only();
    expect(second.nextAttemptAt && timestampMs(second.nextAttemptAt)).toBeGreaterThanOrEqual(
      clock.now().getTime() + 300 * SECOND,
    );
  });

  test("holds up its other deliveries too, and no other endpoint's", async () => {
    const { app, clients, clock, receiver, tenant, drain } = await setupDeliveries(1);
    const other = await startReceiver();
    receiver.behave(answer(503, "", { "retry-after": "60" }));
    await deliver(app);
    await clients.webhook.createEndpoint({ url: other.url });
    await stageEvents(app, tenant.testId, times(3));
    await drain();
    expect(receiver.got).toHaveLength(1);
    expect(other.got).toHaveLength(3);
    receiver.behave(answer(204));
    clock.advance(60 * SECOND);
    await drain();
    expect(receiver.got).toHaveLength(5);
  });
});

describe("an endpoint that is disabled", () => {
  test("because it answered 410 is so, whatever it took in the same moment", async () => {
    const { app, clients, clock, endpointId, receiver } = await setupDeliveries(2, { deliveryScheduleMs: [0, HOUR] });
    receiver.behave(answer(500));
    await deliver(app);
    clock.advance(2 * HOUR);
    const waiting: ((status: number) => void)[] = [];
    receiver.behave((response) => {
      if (waiting.push((status) => response.writeHead(status).end()) < 2) return;
      for (const [at, answerNow] of waiting.entries()) answerNow([410, 204][at] ?? 500);
    });
    expect(await deliver(app)).toBe(2);
    const { endpoint } = await clients.webhook.getEndpoint({ id: endpointId });
    expect(endpoint).toMatchObject({ disabledReason: "the receiver answered 410: it is gone" });
  });

  test("because it answered 410 keeps what waits for it until it is resumed, and the others are told", async () => {
    const { app, clients, clock, endpointId, receiver, only, tenant, drain } = await setupDeliveries(1);
    const other = await startReceiver();
    await clients.webhook.createEndpoint({ url: other.url, eventTypes: ["endpoint.*"] });
    receiver.behave(answer(410));
    await drain();
    const { endpoint } = await clients.webhook.getEndpoint({ id: endpointId });
    expect(endpoint).toMatchObject({ disabledReason: "the receiver answered 410: it is gone" });
    expect(endpoint?.disabledAt && timestampMs(endpoint.disabledAt)).toBe(clock.now().getTime());
    expect(told(other, /endpoint.disabled/)).toMatchObject([
      { data: { endpoint: { id: endpointId, disabledReason: "the receiver answered 410: it is gone" } } },
    ]);
    await stageEvents(app, tenant.testId, times(2));
    clock.advance(30 * DAY);
    await drain();
    expect(receiver.got).toHaveLength(1);
    expect(await only()).toMatchObject({ state: DeliveryState.PENDING });
    receiver.behave(answer(204));
    const resumed = await clients.webhook.resumeEndpoint({ id: endpointId });
    expect(resumed.endpoint).toMatchObject({ disabledReason: "" });
    expect(resumed.endpoint?.disabledAt).toBeUndefined();
    await drain();
    expect(receiver.got.map(({ body }) => fromJsonString(WebhookBodySchema, body).type).sort()).toEqual(
      Array(4).fill("invoice.finalized"),
    );
  });

  test("because every attempt failed for five days says so", async () => {
    const { app, clients, clock, endpointId, receiver, tenant, drain } = await setupDeliveries(1);
    receiver.behave(answer(500));
    await drain();
    clock.advance(5 * DAY - 1);
    await drain();
    expect((await clients.webhook.getEndpoint({ id: endpointId })).endpoint?.disabledAt).toBeUndefined();
    clock.advance(1);
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    expect((await clients.webhook.getEndpoint({ id: endpointId })).endpoint?.disabledReason).toMatch(
      /^every attempt since .*Z failed, 3 in a row; the last: the receiver answered 500$/,
    );
  });

  test("is not, when a delivery was taken in between", async () => {
    const { app, clients, clock, endpointId, receiver, tenant, drain } = await setupDeliveries(1);
    receiver.behave(answer(500));
    await drain();
    clock.advance(4 * DAY);
    receiver.behave(answer(200));
    await drain();
    receiver.behave(answer(500));
    clock.advance(2 * DAY);
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    expect((await clients.webhook.getEndpoint({ id: endpointId })).endpoint?.disabledAt).toBeUndefined();
  });
});

describe("an endpoint that rests", () => {
  test("gets what somebody asks for by hand, at once and before all that waits, and nothing else", async () => {
    const { app, clients, endpointId, receiver, list, tenant, drain } = await setupDeliveries(2);
    receiver.behave(answer(503, "", { "retry-after": "3600" }));
    await drain();
    await stageEvents(app, tenant.testId, times(3));
    await drain();
    receiver.got.splice(0);
    const { delivery: tried } = await clients.webhook.sendTestEvent({ endpointId });
    await drain();
    expect(receiver.got.map(({ body }) => JSON.parse(body).type)).toEqual(["webhook.test"]);
    receiver.behave(answer(200));
    const retried = (await list()).find(({ sequence }) => sequence === 5n);
    await clients.webhook.retryDelivery({ id: retried?.id ?? "" });
    await drain();
    expect(JSON.parse(receiver.got[1]?.body ?? "").sequence).toBe("5");
    // It has taken one: it rests no more, and the others flow. The test is tried again like any other.
    expect(
      receiver.got
        .slice(1)
        .map(({ body }) => JSON.parse(body).sequence)
        .sort(),
    ).toEqual(["3", "4", "5"]);
    expect((await clients.webhook.getDelivery({ id: tried?.id ?? "" })).delivery).toMatchObject({ attemptCount: 1 });
  });

  test("gets it once, when two workers look", async () => {
    const { addApp, app, clients, endpointId, receiver, drain } = await setupDeliveries(1);
    receiver.behave(answer(503, "", { "retry-after": "3600" }));
    await drain();
    receiver.got.splice(0);
    const other = await addApp();
    await clients.webhook.sendTestEvent({ endpointId });
    await Promise.all([deliver(app), deliver(other), deliver(app)]);
    expect(receiver.got).toHaveLength(1);
  });
});

describe("an endpoint that is changed", () => {
  test.each([
    ["another URL", "/other", {}],
    ["other headers", "", { headers: { values: { authorization: "Bearer new" } } }],
  ])("to %s rests no more, and its failures count anew", async (_, path, headers) => {
    const { app, clients, endpointId, receiver, tenant, drain } = await setupDeliveries(1);
    receiver.behave(answer(503, "", { "retry-after": "3600" }));
    await drain();
    receiver.behave(answer(200));
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    expect(receiver.got).toHaveLength(1);
    const change = { id: endpointId, url: receiver.url };
    await clients.webhook.updateEndpoint({ ...change, description: "the same URL" });
    await drain();
    expect(receiver.got).toHaveLength(1);
    await clients.webhook.updateEndpoint({ ...change, url: receiver.url + path, ...headers });
    await drain();
    expect(receiver.got).toHaveLength(2);
  });

  test("stays disabled until it is resumed", async () => {
    const { clients, endpointId, receiver, drain } = await setupDeliveries(1);
    receiver.behave(answer(410));
    await drain();
    const { endpoint } = await clients.webhook.updateEndpoint({ id: endpointId, url: `${receiver.url}/other` });
    expect(endpoint?.disabledReason).toMatch(/410/);
    receiver.behave(answer(200));
    await drain();
    expect(receiver.got).toHaveLength(1);
  });
});

test("an endpoint that was failing and takes a delivery is told of as recovered, once", async () => {
  const { app, clients, clock, endpointId, receiver, tenant, drain } = await setupDeliveries(5);
  const other = await startReceiver();
  await clients.webhook.createEndpoint({ url: other.url, eventTypes: ["endpoint.*"] });
  receiver.behave(answer(500));
  await drain();
  receiver.behave(answer(200));
  clock.advance(HOUR);
  await drain();
  await stageEvents(app, tenant.testId, times(5));
  await drain();
  expect(told(other, /./)).toMatchObject([{ type: "endpoint.recovered", data: { endpoint: { id: endpointId } } }]);
});

test("a delivery that is given up is told of to the other endpoints, and the telling of it is told of to nobody", async () => {
  const config = { deliveryScheduleMs: [0, HOUR] };
  const { clients, clock, endpointId, receiver, list, drain } = await setupDeliveries(1, config);
  const other = await startReceiver();
  await clients.webhook.createEndpoint({ url: other.url });
  for (const one of [receiver, other]) one.behave(answer(500));
  for (let round = 0; round < 5; round++) {
    await drain();
    clock.advance(2 * HOUR);
  }
  expect(told(receiver, /exhausted/)).toEqual([]);
  expect(told(other, /./)).toMatchObject(
    Array(2).fill({ type: "delivery.exhausted", data: { delivery: { endpointId, attemptCount: 2, lastStatus: 500 } } }),
  );
  expect((await list()).map(({ state }) => state)).toEqual(Array(2).fill(DeliveryState.FAILED));
});
