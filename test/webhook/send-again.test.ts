import { fromJsonString } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { WebhookBodySchema } from "../../gen/usageflow/v1/event_pb.ts";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { claimDeliveries, FIRST_TURN } from "../../server/webhook/claim-deliveries.ts";
import { createRoom } from "../../server/webhook/room.ts";
import { setup } from "../support/harness.ts";
import { answer, type Received, startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { stageEvents, times } from "./stage-events.ts";

const HOUR = 3_600_000;
const unknown = (prefix: string) => `${prefix}_0000000000000000000001`;

async function setupEndpoint(eventTypes: string[] = [], scheduleMs = [0, HOUR, HOUR]) {
  const harness = await setup({ config: { emulator: true, deliveryScheduleMs: scheduleMs } });
  const { clients, clock } = harness;
  const receiver = await startReceiver();
  const endpointId = (await clients.webhook.createEndpoint({ url: receiver.url, eventTypes })).endpoint?.id ?? "";
  const list = async () => (await clients.webhook.listDeliveries({ endpointId })).deliveries;
  const only = async () => {
    const [delivery] = await list();
    return (await clients.webhook.getDelivery({ id: delivery?.id ?? "" })).delivery;
  };
  /** Lets hours pass, and what is due then be sent. */
  const pass = async (hours: number) => {
    clock.advance(hours * HOUR * 1.2);
    await harness.drain();
  };
  return { ...harness, receiver, endpointId, list, only, pass };
}

const sequenceOf = ({ body }: Received) => fromJsonString(WebhookBodySchema, body).sequence;

describe("retryDelivery", () => {
  test("sends one that failed now, with the same bytes, and begins its schedule anew", async () => {
    const { app, clients, tenant, drain, receiver, only, pass } = await setupEndpoint(["invoice.*"]);
    receiver.behave(answer(500));
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    await pass(1);
    await pass(1);
    const failed = await only();
    expect(failed).toMatchObject({ state: DeliveryState.FAILED, attemptCount: 3 });
    const { delivery } = await clients.webhook.retryDelivery({ id: failed?.id ?? "" });
    expect(delivery).toMatchObject({ id: failed?.id, state: DeliveryState.PENDING, sequence: failed?.sequence });
    expect(delivery?.completedAt).toBeUndefined();
    await drain();
    expect(await only()).toMatchObject({ state: DeliveryState.PENDING, attemptCount: 4 });
    await pass(1);
    receiver.behave(answer(200));
    await pass(1);
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 6 });
    expect(new Set(receiver.got.map(({ body }) => body)).size).toBe(1);
    expect(new Set(receiver.got.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([failed?.eventId]));
  });

  test("sends one that was delivered once more", async () => {
    const { app, clients, tenant, drain, receiver, only } = await setupEndpoint();
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    await clients.webhook.retryDelivery({ id: (await only())?.id ?? "" });
    await drain();
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 2 });
    expect(receiver.got).toHaveLength(2);
  });

  test("does not let one that waits wait, and uses up no more of its schedule than that", async () => {
    const { app, clients, tenant, drain, receiver, only, pass } = await setupEndpoint();
    receiver.behave(answer(500));
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    await clients.webhook.retryDelivery({ id: (await only())?.id ?? "" });
    await drain();
    expect(await only()).toMatchObject({ state: DeliveryState.PENDING, attemptCount: 2 });
    await pass(1);
    expect(await only()).toMatchObject({ state: DeliveryState.FAILED, attemptCount: 3 });
  });

  test("leaves one alone that is being sent", async () => {
    const { app, clients, tenant, drain, receiver, only } = await setupEndpoint();
    const asked = Promise.withResolvers<() => void>();
    receiver.behave((response) => asked.resolve(() => response.end()));
    await stageEvents(app, tenant.testId, times(1));
    const delivering = drain();
    const answerNow = await asked.promise;
    const { delivery } = await clients.webhook.retryDelivery({ id: (await only())?.id ?? "" });
    expect(delivery).toMatchObject({ state: DeliveryState.PENDING, attemptCount: 0 });
    expect((await claimDeliveries(app, FIRST_TURN, createRoom(1_000))).claimed).toEqual([]);
    answerNow();
    await delivering;
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 1 });
  });

  test("is refused when the endpoint was deleted, and not found when nobody has it", async () => {
    const { app, clients, tenant, drain, endpointId, only } = await setupEndpoint();
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    const id = (await only())?.id ?? "";
    await clients.webhook.deleteEndpoint({ id: endpointId });
    expect(await refused(clients.webhook.retryDelivery({ id }))).toMatchObject({ code: 9 });
    expect(await refused(clients.webhook.retryDelivery({ id: unknown("whd") }))).toMatchObject({ code: 5 });
  });
});

describe("resendEvent", () => {
  test("makes a delivery for an endpoint that did not get the event, with its next sequence", async () => {
    const { app, clients, tenant, drain, endpointId, receiver } = await setupEndpoint(["invoice.paid"]);
    await stageEvents(app, tenant.testId, ["invoice.paid", "invoice.created"]);
    await drain();
    const [created] = (await clients.webhook.listEvents({ eventTypes: ["invoice.created"] })).events;
    const request = { eventId: created?.id ?? "", endpointId };
    const { delivery } = await clients.webhook.resendEvent(request);
    expect(delivery).toMatchObject({ eventType: "invoice.created", customerId: "1", sequence: 2n, attemptCount: 0 });
    await stageEvents(app, tenant.testId, ["invoice.paid"]);
    await drain();
    expect(receiver.got.map(sequenceOf).sort()).toEqual([1n, 2n, 3n]);
    // Once more is the same delivery.
    expect((await clients.webhook.resendEvent(request)).delivery?.id).toBe(delivery?.id);
    await drain();
    expect(receiver.got).toHaveLength(4);
    expect(receiver.got[3]?.body).toBe(receiver.got.find((got) => sequenceOf(got) === 2n)?.body);
  });

  test("is refused while the event is not fanned out yet, and for what does not exist", async () => {
    const { app, clients, tenant, drain, endpointId, receiver } = await setupEndpoint();
    await stageEvents(app, tenant.testId, times(1));
    const [event] = (await clients.webhook.listEvents({})).events;
    const request = { eventId: event?.id ?? "", endpointId };
    expect(await refused(clients.webhook.resendEvent(request))).toMatchObject({ code: 9 });
    await drain();
    await clients.webhook.resendEvent(request);
    await drain();
    expect(receiver.got).toHaveLength(2);
    for (const missing of [{ eventId: unknown("evt") }, { endpointId: unknown("whe") }]) {
      expect(await refused(clients.webhook.resendEvent({ ...request, ...missing }))).toMatchObject({ code: 5 });
    }
  });

  test("that come at the same time, beside a fan-out, leave no gap and no second delivery", async () => {
    const { app, clients, tenant, drain, endpointId, receiver, list } = await setupEndpoint(["invoice.paid"]);
    await stageEvents(app, tenant.testId, times(10, "invoice.created"));
    await drain();
    const { events } = await clients.webhook.listEvents({});
    await stageEvents(app, tenant.testId, times(10, "invoice.paid"));
    const resend = (eventId: string) => clients.webhook.resendEvent({ eventId, endpointId });
    await Promise.all([drain(), ...events.map(({ id }) => resend(id)), ...events.map(({ id }) => resend(id))]);
    await drain();
    expect((await list()).map((one) => Number(one.sequence)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    expect(new Set(receiver.got.map(sequenceOf)).size).toBe(20);
  });
});

describe("sendTestEvent", () => {
  test("sends a test event to this endpoint alone", async () => {
    const { clients, drain, endpointId, receiver, list } = await setupEndpoint(["invoice.paid"]);
    const other = await startReceiver();
    await clients.webhook.createEndpoint({ url: other.url });
    const { delivery } = await clients.webhook.sendTestEvent({ endpointId });
    expect(delivery).toMatchObject({ endpointId, eventType: "webhook.test", sequence: 1n, customerId: "" });
    await drain();
    expect(other.got).toEqual([]);
    const body = fromJsonString(WebhookBodySchema, receiver.got[0]?.body ?? "", { ignoreUnknownFields: false });
    expect(body).toMatchObject({ type: "webhook.test", data: { test: { endpointId } } });
    expect(await list()).toMatchObject([{ id: delivery?.id, state: DeliveryState.DELIVERED }]);
    expect((await clients.webhook.listEvents({ eventTypes: ["webhook.test"] })).events).toHaveLength(1);
    expect(await refused(clients.webhook.sendTestEvent({ endpointId: unknown("whe") }))).toMatchObject({ code: 5 });
  });

  test("with an idempotency key sends one, however often it is called", async () => {
    const { clients, drain, endpointId, receiver } = await setupEndpoint();
    const headers = { "idempotency-key": "test" };
    await clients.webhook.sendTestEvent({ endpointId }, { headers });
    await clients.webhook.sendTestEvent({ endpointId }, { headers });
    await drain();
    expect(receiver.got).toHaveLength(1);
  });
});
