import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { DeliveryState, ReplayState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { CreateReplayRequestSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { nextBatchSize, replayDeliveries } from "../../server/webhook/replay-deliveries.ts";
import { setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { stageEvents, times } from "./stage-events.ts";

const { FAILED, DELIVERED, PENDING } = DeliveryState;
const unknown = (prefix: string) => `${prefix}_0000000000000000000001`;

/** An endpoint that has refused `events` deliveries, half of each of two types, and takes what comes from now on. */
async function setupFailed(events: number) {
  const harness = await setup({ config: { emulator: true, deliveryScheduleMs: [0], breakerFailures: 0 } });
  const { app, clients, clock, tenant } = harness;
  const receiver = await startReceiver();
  receiver.behave(answer(500));
  const endpointId =
    (await clients.webhook.createEndpoint({ url: receiver.url, eventTypes: ["invoice.*"] })).endpoint?.id ?? "";
  await stageEvents(app, tenant.testId, times(events / 2, "invoice.created"));
  await stageEvents(app, tenant.testId, times(events / 2, "invoice.finalized"));
  await harness.drain();
  clock.advance(1_000); // a replay is about what was made before it
  receiver.behave(answer(204));
  receiver.got.splice(0);
  const replay = async (id = "") => (await clients.webhook.getReplay({ id })).replay;
  const inState = async (state: DeliveryState) =>
    (await clients.webhook.listDeliveries({ endpointId, state, pageSize: 1_000 })).deliveries;
  const send = async () => {
    while ((await deliver(app)) > 0);
  };
  return { ...harness, receiver, endpointId, replay, inState, send };
}

describe("a replay", () => {
  test("sends all that failed again, once, and counts it", async () => {
    const { clients, drain, endpointId, inState, receiver, replay } = await setupFailed(300);
    const before = await inState(FAILED);
    expect(before).toHaveLength(300);
    const dry = await clients.webhook.createReplay({ endpointId, dryRun: true });
    expect([dry.count, dry.replay]).toEqual([300n, undefined]);
    const made = await clients.webhook.createReplay({ endpointId });
    expect(made).toMatchObject({
      count: 300n,
      replay: { state: ReplayState.RUNNING, totalCount: 300n, doneCount: 0n },
    });
    await drain();
    expect(await replay(made.replay?.id)).toMatchObject({
      state: ReplayState.COMPLETED,
      deliveryStates: [FAILED],
      totalCount: 300n,
      doneCount: 300n,
      waitingCount: 0n,
    });
    expect((await inState(DELIVERED)).map((one) => one.id)).toEqual(before.map((one) => one.id));
    expect(receiver.got).toHaveLength(300);
    expect(new Set(receiver.got.map(({ headers }) => headers["webhook-id"]))).toEqual(
      new Set(before.map((one) => one.eventId)),
    );
    await drain();
    expect(receiver.got).toHaveLength(300);
  });

  test("is about the types, states and time that it was asked for", async () => {
    const { clients, clock, drain, endpointId, receiver, app, tenant } = await setupFailed(20);
    const middle = timestampFromDate(clock.now());
    await stageEvents(app, tenant.testId, times(3, "invoice.paid"));
    await drain();
    clock.advance(1_000);
    receiver.got.splice(0);
    const count = async (filter: MessageInitShape<typeof CreateReplayRequestSchema>) => {
      const request = create(CreateReplayRequestSchema, filter);
      return Number((await clients.webhook.createReplay({ ...request, endpointId, dryRun: true })).count);
    };
    expect(await count({})).toBe(20);
    expect(await count({ eventTypes: ["invoice.created"] })).toBe(10);
    expect(await count({ eventTypes: ["invoice.*"], deliveryStates: [FAILED, DELIVERED] })).toBe(23);
    expect(await count({ deliveryStates: [DELIVERED] })).toBe(3);
    expect(await count({ deliveryStates: [PENDING] })).toBe(0);
    expect(await count({ end: middle })).toBe(20);
    expect(await count({ start: middle })).toBe(0);
    expect(await count({ start: middle, deliveryStates: [DELIVERED] })).toBe(3);
    await clients.webhook.createReplay({ endpointId, start: middle, deliveryStates: [FAILED, DELIVERED] });
    await clients.webhook.createReplay({ endpointId, eventTypes: ["invoice.finalized"], end: middle });
    await drain();
    expect(receiver.got.map(({ body }) => JSON.parse(body).type).sort()).toEqual([
      ...Array(10).fill("invoice.finalized"),
      ...Array(3).fill("invoice.paid"),
    ]);
  });

  test("goes on where it was when another worker takes over, and two do nothing twice", async () => {
    const { app, addApp, clients, endpointId, inState, receiver, replay, send } = await setupFailed(200);
    const { id } = (await clients.webhook.createReplay({ endpointId })).replay ?? {};
    await replayDeliveries(app);
    expect((await replay(id))?.doneCount).toBe(32n);
    const other = await addApp();
    while ((await replay(id))?.state === ReplayState.RUNNING) {
      await Promise.all([replayDeliveries(app), replayDeliveries(other)]);
      await send();
    }
    await send();
    expect((await replay(id))?.doneCount).toBe(200n);
    expect(receiver.got).toHaveLength(200);
    expect(await inState(DELIVERED)).toHaveLength(200);
  });

  test("hands over no more than the endpoint takes, and nothing while live deliveries wait", async () => {
    const { app, clients, clock, endpointId, inState, receiver, replay, send, tenant } = await setupFailed(400);
    const { id } = (await clients.webhook.createReplay({ endpointId })).replay ?? {};
    await replayDeliveries(app);
    await replayDeliveries(app);
    await replayDeliveries(app);
    expect(await replay(id)).toMatchObject({ doneCount: 32n, waitingCount: 32n });
    await send();
    await stageEvents(app, tenant.testId, times(5, "invoice.paid"));
    await dispatchEvents(app, [fanOut(app)]);
    expect(await replayDeliveries(app)).toBe(0);
    expect((await replay(id))?.doneCount).toBe(32n);
    await send();
    expect(receiver.got.slice(32).map(({ body }) => JSON.parse(body).type)).toEqual(Array(5).fill("invoice.paid"));
    // What is live and was refused is tried again later, and holds up no replay until then.
    clock.advance(1);
    expect(await replayDeliveries(app)).toBeGreaterThan(0);
    expect((await inState(PENDING)).length).toBeLessThanOrEqual(64);
  });

  test("is cancelled by hand or with its endpoint, and stays so", async () => {
    const { app, clients, drain, endpointId, inState, replay, send } = await setupFailed(100);
    const first = (await clients.webhook.createReplay({ endpointId })).replay?.id ?? "";
    await replayDeliveries(app);
    const { replay: cancelled } = await clients.webhook.cancelReplay({ id: first });
    expect(cancelled).toMatchObject({ state: ReplayState.CANCELLED, doneCount: 32n });
    await drain();
    expect(await inState(DELIVERED)).toHaveLength(32);
    const second = (await clients.webhook.createReplay({ endpointId })).replay?.id ?? "";
    expect((await clients.webhook.listReplays({})).replays.map((one) => one.id)).toEqual([second, first]);
    await clients.webhook.deleteEndpoint({ id: endpointId });
    await drain();
    await send();
    expect(await replay(second)).toMatchObject({ state: ReplayState.CANCELLED, doneCount: 0n });
    expect((await clients.webhook.cancelReplay({ id: second })).replay).toEqual(await replay(second));
    expect(await inState(DELIVERED)).toHaveLength(32);
  });

  test("waits while its endpoint is paused or disabled, without a change, and goes on when it is resumed", async () => {
    const { app, clients, drain, endpointId: id, inState, ownerDb, receiver, replay } = await setupFailed(100);
    const made = (await clients.webhook.createReplay({ endpointId: id })).replay?.id ?? "";
    await replayDeliveries(app);
    const version = () => sql<{ xmin: string }>`select xmin from replay`.execute(ownerDb);
    const stopped = async () => {
      await drain();
      const before = await version();
      const { doneCount } = (await replay(made)) ?? {};
      for (let look = 0; look < 3; look++) expect(await replayDeliveries(app)).toBe(0);
      expect((await version()).rows).toEqual(before.rows);
      expect(await replay(made)).toMatchObject({ state: ReplayState.RUNNING, doneCount });
    };
    await clients.webhook.pauseEndpoint({ id });
    await stopped();
    expect(receiver.got).toEqual([]);
    await clients.webhook.resumeEndpoint({ id });
    receiver.behave(answer(410));
    await drain();
    await stopped();
    expect((await clients.webhook.getEndpoint({ id })).endpoint?.disabledReason).toMatch(/410/);
    receiver.behave(answer(204));
    await clients.webhook.resumeEndpoint({ id });
    await drain();
    expect((await replay(made))?.state).toBe(ReplayState.COMPLETED);
    expect((await inState(DELIVERED)).length + (await inState(FAILED)).length).toBe(100);
  });

  test("is cancelled when its endpoint is deleted while it is paused", async () => {
    const { app, clients, endpointId: id, replay } = await setupFailed(4);
    const made = (await clients.webhook.createReplay({ endpointId: id })).replay?.id ?? "";
    await clients.webhook.pauseEndpoint({ id });
    await clients.webhook.deleteEndpoint({ id });
    await replayDeliveries(app);
    expect(await replay(made)).toMatchObject({ state: ReplayState.CANCELLED, doneCount: 0n });
  });

  test("leaves those alone that are in another state when their turn has come", async () => {
    const { app, clients, endpointId, inState, replay, send } = await setupFailed(4);
    const made = (await clients.webhook.createReplay({ endpointId })).replay?.id ?? "";
    const [first] = await inState(FAILED);
    await clients.webhook.retryDelivery({ id: first?.id ?? "" });
    await send();
    while ((await replayDeliveries(app)) > 0) await send();
    expect(await replay(made)).toMatchObject({ totalCount: 4n, doneCount: 3n });
    expect((await inState(DELIVERED)).map((one) => one.attemptCount)).toEqual([2, 2, 2, 2]);
  });

  test("is refused for what does not exist", async () => {
    const { clients, endpointId } = await setupFailed(0);
    const { webhook } = clients;
    expect(await refused(webhook.createReplay({ endpointId: unknown("whe") }))).toMatchObject({ code: 5 });
    expect(await refused(webhook.getReplay({ id: unknown("rpl") }))).toMatchObject({ code: 5 });
    expect(await refused(webhook.cancelReplay({ id: unknown("rpl") }))).toMatchObject({ code: 5 });
    const none = webhook.createReplay({ endpointId, eventTypes: ["invoice.payed"] });
    expect(await refused(none)).toMatchObject({ code: 3, field: "event_types[0]" });
    const noState = webhook.createReplay({ endpointId, deliveryStates: [DeliveryState.UNSPECIFIED] });
    expect(await refused(noState)).toMatchObject({ code: 3 });
  });
});

test("a batch grows only when all of the one before was sent between two looks", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_024 }), fc.array(fc.integer({ min: 0, max: 500 })), (size, speeds) => {
      let [batch, waiting] = [size, size];
      for (const speed of speeds) {
        const sent = Math.min(waiting, speed);
        waiting -= sent;
        const next = nextBatchSize(batch, waiting);
        expect(next).toBeGreaterThanOrEqual(1);
        expect(next).toBeLessThanOrEqual(waiting === 0 ? Math.min(batch * 2, 1_024) : batch);
        batch = next;
        waiting = Math.max(waiting, batch); // handed over up to the batch
      }
    }),
  );
});
