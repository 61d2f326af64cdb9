import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { DeliveryState, ReplayState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { plusMs } from "../../server/clock.ts";
import { parseId } from "../../server/id.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { keepLog } from "../../server/webhook/keep-log.ts";
import { purgeOver } from "../../server/webhook/purge-over.ts";
import { answer } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { ageLog, countRows, keepAll, THIS_AND_NEXT, weeksOf } from "./age-log.ts";
import { setupDeliveries } from "./deliveries.ts";
import { stageEvents, times } from "./stage-events.ts";

const GONE = { code: Code.NotFound, reason: ErrorReason.NOT_FOUND, field: "" };

describe("what is older than it is kept", () => {
  test("is dropped with its week, and is not found any more; what is younger stays", async () => {
    const harness = await setupDeliveries(3);
    const { app, clients, tenant, list, receiver } = harness;
    await harness.drain();
    await ageLog(harness, 100);
    const [old] = await list();
    expect(await clients.webhook.getDelivery({ id: old?.id ?? "" })).toMatchObject({ delivery: { attemptCount: 1 } });
    await stageEvents(app, tenant.testId, times(2));
    await harness.drain(); // the loop is one of those that run
    expect(receiver.got).toHaveLength(5);
    expect((await list()).map(({ sequence }) => sequence)).toEqual([5n, 4n]);
    expect((await clients.webhook.listEvents({})).events).toHaveLength(2);
    expect(await refused(clients.webhook.getDelivery({ id: old?.id ?? "" }))).toEqual(GONE);
    expect(await refused(clients.webhook.getEvent({ id: old?.eventId ?? "" }))).toEqual(GONE);
    expect(await refused(clients.webhook.retryDelivery({ id: old?.id ?? "" }))).toEqual(GONE);
    const endpointId = harness.endpointId;
    expect(await refused(clients.webhook.resendEvent({ endpointId, eventId: old?.eventId ?? "" }))).toEqual(GONE);
    expect(await weeksOf(harness)).toHaveLength(THIS_AND_NEXT);
    for (const log of ["delivery", "delivery_attempt", "outbox_event"]) {
      expect(await countRows(harness, log)).toBe(2);
      expect(await countRows(harness, `${log}_rest`)).toBe(0);
    }
  });

  test("stays as long as its week may have something younger", async () => {
    const harness = await setupDeliveries(1);
    await harness.drain();
    await ageLog(harness, 89);
    expect(await keepLog(harness.app)).toBe(0);
    expect(await harness.list()).toHaveLength(1);
  });

  test("ends a list for a page's token that points into it", async () => {
    const harness = await setupDeliveries(4);
    const { app, clients } = harness;
    await harness.drain();
    const first = await clients.webhook.listDeliveries({ pageSize: 3 });
    const events = await clients.webhook.listEvents({ pageSize: 3 });
    await ageLog(harness, 100);
    const second = await clients.webhook.listDeliveries({ pageSize: 1 });
    await keepAll(app);
    for (const { nextPageToken: pageToken } of [first, second]) {
      expect(pageToken).not.toBe("");
      const page = await clients.webhook.listDeliveries({ pageSize: 3, pageToken });
      expect(page).toMatchObject({ deliveries: [], nextPageToken: "" });
    }
    const page = await clients.webhook.listEvents({ pageSize: 3, pageToken: events.nextPageToken });
    expect(page).toMatchObject({ events: [], nextPageToken: "" });
  });
});

describe("what still waits", () => {
  test("outlives its week with its event and its attempts, and is sent as it would have been", async () => {
    const harness = await setupDeliveries(2, { deliveryScheduleMs: [0, 1_000, 1_000] });
    const { app, clients, clock, endpointId, receiver, only } = harness;
    receiver.behave(answer(500));
    await harness.drain();
    const before = receiver.got.map(({ headers, body }) => body + headers["webhook-id"]);
    await clients.webhook.pauseEndpoint({ id: endpointId });
    await ageLog(harness, 100);
    await keepAll(app);
    expect(await weeksOf(harness)).toHaveLength(THIS_AND_NEXT);
    expect(await countRows(harness, "delivery_rest")).toBe(2);
    expect(await only()).toMatchObject({ state: DeliveryState.PENDING, attemptCount: 1, attempts: [{ number: 1 }] });
    receiver.behave(answer(204));
    await clients.webhook.resumeEndpoint({ id: endpointId });
    clock.advance(2_000);
    await harness.drain();
    const after = receiver.got.slice(2).map(({ body }) => body);
    expect(after.map((body) => before.filter((one) => one.startsWith(body)).length)).toEqual([1, 1]);
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 2, attempts: [{}, {}] });
    expect(await clients.webhook.getEvent({ id: (await only()).eventId })).toMatchObject({ event: {} });
  });

  test("is purged from the rest when it has been over for as long as it is kept", async () => {
    const harness = await setupDeliveries(3);
    const { app, clients, endpointId, ownerDb } = harness;
    await clients.webhook.pauseEndpoint({ id: endpointId });
    await ageLog(harness, 100);
    await keepAll(app);
    await clients.webhook.resumeEndpoint({ id: endpointId });
    await harness.drain();
    const [one] = await harness.list();
    await sql`update delivery set completed_at = completed_at - interval '91 days'
      where sequence in (1, 2)`.execute(ownerDb);
    // One of them is asked for again: it is not over any more.
    await clients.webhook.pauseEndpoint({ id: endpointId });
    const again = (await harness.list()).find(({ sequence }) => sequence === 2n);
    await clients.webhook.retryDelivery({ id: again?.id ?? "" });
    await keepAll(app);
    expect((await harness.list()).map(({ sequence }) => sequence).sort()).toEqual([2n, 3n]);
    for (const rest of ["delivery_rest", "delivery_attempt_rest", "outbox_event_rest"]) {
      expect(await countRows(harness, rest)).toBe(2);
    }
    expect(await clients.webhook.getEvent({ id: one?.eventId ?? "" })).toBeDefined();
  });

  test("is an event too that was not dispatched, or that a young delivery is about", async () => {
    const harness = await setupDeliveries(1);
    const { app, clients, endpointId, receiver, tenant } = harness;
    await harness.drain();
    await ageLog(harness, 100);
    const [old] = await harness.list();
    await clients.webhook.pauseEndpoint({ id: endpointId });
    const other = await clients.webhook.createEndpoint({ url: receiver.url });
    const otherId = other.endpoint?.id ?? "";
    await clients.webhook.resendEvent({ endpointId: otherId, eventId: old?.eventId ?? "" });
    await stageEvents(app, tenant.testId, times(1));
    await sql`update outbox_event set id = '0199c000-0000-7000-8000-000000000001'
      where id in (select event_id from outbox_pending)`.execute(harness.ownerDb);
    await sql`update outbox_pending set event_id = '0199c000-0000-7000-8000-000000000001'`.execute(harness.ownerDb);
    await keepAll(app);
    await harness.drain();
    expect(receiver.got.map(({ headers }) => headers["webhook-id"])).toHaveLength(3); // first, resent, dispatched
    expect(receiver.got[1]?.body.replace(/"sequence":"\d+"/, "")).toBe(
      receiver.got[0]?.body.replace(/"sequence":"\d+"/, ""),
    );
  });
});

describe("what is changed while its week is dropped", () => {
  test("is looked at once a round, however much of one table there is and of another", async () => {
    const { app, clock, ownerDb, tenant, endpointId } = await setupDeliveries(0);
    await sql`
      insert into delivery (tenant_id, id, event_id, event_type, endpoint_id, sequence, state, created_at, completed_at)
      select ${tenant.testId}, overlay(gen_random_uuid()::text placing '0' from 1)::uuid, gen_random_uuid(), 'invoice.paid',
        ${parseId("whe", endpointId)}, sequence, 'DELIVERED', now(), now()
      from generate_series(1, 1500) as sequence`.execute(ownerDb);
    await sql`
      insert into outbox_event (tenant_id, id, type, occurred_at, data)
      select ${tenant.testId}, overlay(gen_random_uuid()::text placing 'f' from 1)::uuid, 'invoice.paid', now(), '{}'
      from generate_series(1, 2500)`.execute(ownerDb);
    const passes: number[] = [];
    do passes.push(await purgeOver(app, "rest", plusMs(clock.now(), -1_000)));
    while (passes.at(-1) !== 0 && passes.length < 20);
    expect(passes).toEqual([1, 1, 0]);
  });

  test("waits in the rest when it was asked for in time, and is refused when it was not", async () => {
    const harness = await setupDeliveries(30);
    const { app, clients, drain, list, ownerDb } = harness;
    await drain();
    await ageLog(harness, 100);
    const ids = (await list()).map(({ id }) => id);
    const retry = (id: string) => refused(clients.webhook.retryDelivery({ id }));
    const [answers] = await Promise.all([Promise.all(ids.map(retry)), keepAll(app)]);
    await keepAll(app); // should the calls have kept it from the lock
    expect(answers.filter((answer) => answer && answer.code !== Code.NotFound)).toEqual([]);
    const { rows } = await sql`
      select from delivery_due left join delivery on id = delivery_id left join outbox_event e on e.id = delivery_due.event_id
      where delivery.id is null or e.id is null or state <> 'PENDING'`.execute(ownerDb);
    expect(rows).toEqual([]);
    await drain();
    const kept = ids.filter((_, index) => answers[index] === undefined);
    expect((await list()).map(({ id }) => id)).toEqual(kept);
    for (const id of kept) expect((await clients.webhook.getDelivery({ id })).delivery?.attempts).toHaveLength(2);
  });

  test("is settled where it is then", async () => {
    const harness = await setupDeliveries(1);
    const { app, only, receiver } = harness;
    await ageLog(harness, 100);
    receiver.behave((response) => void keepAll(app).finally(() => response.writeHead(204).end()));
    await deliver(app);
    expect(await countRows(harness, "delivery_rest")).toBe(1);
    expect(await only()).toMatchObject({
      state: DeliveryState.DELIVERED,
      attemptCount: 1,
      attempts: [{ status: 204 }],
    });
  });
});

describe("a delivery whose event was dropped before it", () => {
  async function setupOrphan() {
    const harness = await setupDeliveries(1);
    const { clients, endpointId } = harness;
    await harness.drain();
    await ageLog(harness, 100);
    const [old] = await harness.list();
    const other = await clients.webhook.createEndpoint({ url: harness.receiver.url });
    const otherId = other.endpoint?.id ?? "";
    const { delivery } = await clients.webhook.resendEvent({ endpointId: otherId, eventId: old?.eventId ?? "" });
    await harness.drain(); // sent, and then what is old is dropped
    await keepAll(harness.app);
    return { ...harness, endpointId, otherId, id: delivery?.id ?? "", eventId: old?.eventId ?? "" };
  }

  test("is still in the log, and cannot be sent again: there is nothing to send", async () => {
    const { clients, id, eventId } = await setupOrphan();
    expect(await refused(clients.webhook.getEvent({ id: eventId }))).toEqual(GONE);
    const { delivery } = await clients.webhook.getDelivery({ id });
    expect(delivery).toMatchObject({ state: DeliveryState.DELIVERED, attempts: [{ status: 204 }] });
    const call = clients.webhook.retryDelivery({ id });
    await expect(call).rejects.toThrow("the event of this delivery is not kept any more");
    expect(await refused(clients.webhook.retryDelivery({ id }))).toMatchObject({ code: Code.FailedPrecondition });
    expect((await clients.webhook.getDelivery({ id })).delivery?.state).toBe(DeliveryState.DELIVERED);
  });

  test("is left out by a replay, which ends", async () => {
    const { app, clients, clock, drain, otherId, receiver, tenant } = await setupOrphan();
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    const sent = receiver.got.length;
    clock.advance(1);
    const { replay } = await clients.webhook.createReplay({
      endpointId: otherId,
      deliveryStates: [DeliveryState.DELIVERED],
    });
    await drain();
    const ended = (await clients.webhook.getReplay({ id: replay?.id ?? "" })).replay;
    expect(ended).toMatchObject({ state: ReplayState.COMPLETED, doneCount: 1n });
    expect(receiver.got).toHaveLength(sent + 1);
  });
});
