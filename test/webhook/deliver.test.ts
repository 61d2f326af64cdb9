import { fromJsonString, toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { WebhookBodySchema } from "../../gen/usageflow/v1/event_pb.ts";
import { AttemptErrorKind, DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { answer, type Received, startReceiver } from "../support/receiver.ts";
import { setupDeliveries } from "./deliveries.ts";
import { OCCURRED_AT, stageEvents, times } from "./stage-events.ts";

const HOUR = 3_600_000;

describe("a delivery", () => {
  test("is signed as Standard Webhooks says, with the contract's body", async () => {
    const { app, clock, receiver, verifier, only } = await setupDeliveries(1);
    receiver.behave(answer(200, "thanks"));
    expect(await deliver(app)).toBe(1);
    const { body, headers } = receiver.got[0] as Received;
    verifier.verify(body, headers);
    const message = fromJsonString(WebhookBodySchema, body, { ignoreUnknownFields: false });
    expect(toJsonString(WebhookBodySchema, message, { alwaysEmitImplicit: true })).toBe(body);
    expect(message).toMatchObject({ type: "invoice.finalized", sequence: 1n });
    expect(body).toContain(`"timestamp":"${OCCURRED_AT}","sequence":"1"`);
    const delivery = await only();
    expect(headers["webhook-id"]).toBe(delivery.eventId);
    expect(headers["webhook-timestamp"]).toBe(String(Math.floor(clock.now().getTime() / 1000)));
    expect(delivery).toMatchObject({
      eventType: "invoice.finalized",
      sequence: 1n,
      state: DeliveryState.DELIVERED,
      attemptCount: 1,
      lastStatus: 200,
      lastError: "",
      attempts: [{ number: 1, status: 200, error: "", responseBody: "thanks" }],
    });
    expect(delivery.nextAttemptAt).toBeUndefined();
    expect(delivery.completedAt && timestampMs(delivery.completedAt)).toBe(clock.now().getTime());
    expect(await deliver(app)).toBe(0);
  });

  test("is sent once, in order, when there are more than one claim takes", async () => {
    const { app, receiver, list, drain } = await setupDeliveries(600);
    await drain();
    expect((await list()).every((delivery) => delivery.state === DeliveryState.DELIVERED)).toBe(true);
    const sent = receiver.got.map(({ body }) => fromJsonString(WebhookBodySchema, body).sequence);
    expect(new Set(sent).size).toBe(600);
    expect(sent).toHaveLength(600);
    expect(await deliver(app)).toBe(0);
  });

  test("is tried again on schedule until it is taken, with the same bytes", async () => {
    const { app, clock, receiver, verifier, only } = await setupDeliveries(1);
    receiver.behave(answer(500, "broken", { "x-trace": "7" }));
    expect(await deliver(app)).toBe(1);
    expect(await deliver(app)).toBe(0);
    const once = await only();
    expect(once).toMatchObject({
      state: DeliveryState.PENDING,
      lastStatus: 500,
      lastError: "the receiver answered 500",
    });
    const wait = (once.nextAttemptAt ? timestampMs(once.nextAttemptAt) : 0) - clock.now().getTime();
    expect(wait).toBeGreaterThanOrEqual(5_000);
    expect(wait).toBeLessThanOrEqual(6_000);
    clock.advance(4_999);
    expect(await deliver(app)).toBe(0);
    clock.advance(1_001);
    receiver.behave(answer(204));
    expect(await deliver(app)).toBe(1);
    expect(await only()).toMatchObject({
      state: DeliveryState.DELIVERED,
      attemptCount: 2,
      attempts: [
        {
          number: 1,
          status: 500,
          error: "the receiver answered 500",
          errorKind: AttemptErrorKind.STATUS,
          responseBody: "broken",
          responseHeaders: { "x-trace": "7" },
          resolve: expect.anything(),
          connect: expect.anything(),
          firstByte: expect.anything(),
          worker: expect.stringContaining(String(process.pid)),
        },
        { number: 2, status: 204, error: "", errorKind: AttemptErrorKind.UNSPECIFIED },
      ],
    });
    const [first, second] = receiver.got as [Received, Received];
    expect(second.body).toBe(first.body);
    expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
    expect(Number(second.headers["webhook-timestamp"])).toBe(Number(first.headers["webhook-timestamp"]) + 6);
    verifier.verify(second.body, second.headers);
  });

  test("is given up when the schedule is used up", async () => {
    const { app, clock, receiver, only } = await setupDeliveries(1, { deliveryScheduleMs: [0, HOUR, HOUR] });
    receiver.behave(answer(400));
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(await deliver(app)).toBe(1);
      clock.advance(2 * HOUR);
    }
    expect(await deliver(app)).toBe(0);
    expect(await only()).toMatchObject({ state: DeliveryState.FAILED, attemptCount: 3, lastStatus: 400 });
    expect(receiver.got).toHaveLength(3);
  });

  test("goes to the URL that its endpoint has now", async () => {
    const { app, clients, clock, endpointId, receiver } = await setupDeliveries(1);
    receiver.behave(answer(500));
    await deliver(app);
    const moved = await startReceiver();
    await clients.webhook.updateEndpoint({ id: endpointId, url: moved.url });
    clock.advance(HOUR);
    await deliver(app);
    expect(moved.got).toHaveLength(1);
  });
});

describe("an endpoint that is deleted", () => {
  test("has what waits for it given up, and its log kept", async () => {
    const { app, clients, clock, endpointId, receiver, list, only } = await setupDeliveries(1);
    receiver.behave(answer(500));
    await deliver(app);
    await clients.webhook.deleteEndpoint({ id: endpointId });
    clock.advance(24 * HOUR);
    expect(await deliver(app)).toBe(0);
    expect(await list()).toHaveLength(1);
    expect(await only()).toMatchObject({
      state: DeliveryState.FAILED,
      lastError: "the endpoint was deleted",
      attempts: [{ status: 500 }],
    });
  });

  test("stays given up when the receiver answers after all", async () => {
    const { app, clients, endpointId, receiver, only } = await setupDeliveries(1);
    const asked = Promise.withResolvers<() => void>();
    receiver.behave((response) => asked.resolve(() => response.end()));
    const delivering = deliver(app);
    const answerNow = await asked.promise;
    await clients.webhook.deleteEndpoint({ id: endpointId });
    answerNow();
    await delivering;
    expect(await only()).toMatchObject({ state: DeliveryState.FAILED, attemptCount: 0, attempts: [] });
  });
});

describe("deliver", () => {
  test("serves all tenants, each with its own secret", async () => {
    const { app, addOrganization, clientsFor, drain, receiver, verifier } = await setupDeliveries(1);
    const other = await addOrganization("Other");
    const { secret } = await clientsFor(other.testKey).webhook.createEndpoint({ url: `${receiver.url}?other` });
    await stageEvents(app, other.testId, times(1));
    await drain();
    expect(receiver.got).toHaveLength(2);
    for (const { path, body, headers } of receiver.got) {
      (path.endsWith("?other") ? new Webhook(secret) : verifier).verify(body, headers);
    }
  });

  test("goes on with the others when one cannot be signed", async () => {
    const { app, clients, drain, ownerDb, endpointId, list, tenant } = await setupDeliveries(0);
    const working = await startReceiver();
    await clients.webhook.createEndpoint({ url: working.url });
    await ownerDb
      .updateTable("endpoint")
      .set({ secret_sealed: Buffer.alloc(80) })
      .where("url", "!=", working.url)
      .execute();
    await stageEvents(app, tenant.testId, times(5));
    await drain();
    expect(working.got).toHaveLength(5);
    const broken = (await list()).filter((delivery) => delivery.endpointId === endpointId);
    expect(broken.map((delivery) => delivery.state)).toEqual(Array(5).fill(DeliveryState.PENDING));
  });

  test("sends no more at a time than an endpoint's share, and keeps that full", async () => {
    const { app, receiver } = await setupDeliveries(40, { deliveryConcurrencyMax: 16 });
    const open: (() => void)[] = [];
    let most = 0;
    receiver.behave((response) => {
      most = Math.max(
        most,
        open.push(() => response.end()),
      );
      if (open.length === 4) for (const end of open.splice(0)) end(); // nobody is answered before all four are there
    });
    expect(await deliver(app)).toBe(40);
    expect(receiver.got).toHaveLength(40);
    expect(most).toBe(4);
  });

  test("hands no delivery to two workers that run at the same time", async () => {
    const { app, addApp, receiver } = await setupDeliveries(1000);
    const other = await addApp();
    const run = async (one: typeof app) => {
      while ((await deliver(one)) > 0);
    };
    await Promise.all([run(app), run(other), run(app), run(other)]);
    expect(receiver.got).toHaveLength(1000);
    expect(new Set(receiver.got.map(({ headers }) => headers["webhook-id"])).size).toBe(1000);
  });
});

test("a delivery is shown with the attempts of the moment that it is shown as, not with later ones", async () => {
  const { app, list, only, ownerDb } = await setupDeliveries(1);
  await deliver(app);
  await ownerDb.updateTable("delivery").set({ attempt_count: 0, state: "PENDING", completed_at: null }).execute();
  expect(await list()).toHaveLength(1);
  expect(await only()).toMatchObject({ state: DeliveryState.PENDING, attempts: [] }); // as a reader between the two saw it
});
