import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { App } from "../../server/app.ts";
import { type ClaimedDelivery, claimDeliveries, FIRST_TURN } from "../../server/webhook/claim-deliveries.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { releaseDeliveries } from "../../server/webhook/hold-deliveries.ts";
import { createRoom } from "../../server/webhook/room.ts";
import { type Settlement, settleDeliveries } from "../../server/webhook/settle-deliveries.ts";
import { untilWaiting } from "../support/waiting.ts";
import { setupDeliveries } from "./deliveries.ts";

const claim = async (app: App) => (await claimDeliveries(app, FIRST_TURN, createRoom(1_000))).claimed;

const settlement = ({ tenant_id, id, lease_token, endpoint_id }: ClaimedDelivery): Settlement => ({
  tenant_id,
  id,
  lease_token,
  endpoint_id,
  endpoint_failing: false,
  in_lane: false,
  retryAfterMs: undefined,
  state: "DELIVERED",
  next_attempt_at: null,
  completed_at: new Date(),
  sent_at: new Date(),
  duration_us: 1,
  resolve_us: null,
  connect_us: null,
  first_byte_us: null,
  status: 200,
  error: "",
  error_kind: "",
  response_headers: {},
  response_body: "",
  worker: "test",
});

describe("a lease", () => {
  test("keeps a delivery from everybody else until it has run out", async () => {
    const { app, addApp, clock } = await setupDeliveries(3);
    const other = await addApp();
    expect(await claim(app)).toHaveLength(3);
    clock.advance(app.config.deliveryLeaseMs - 1);
    expect(await claim(other)).toHaveLength(0);
    clock.advance(1);
    expect(await claim(other)).toHaveLength(3);
  });

  test("that was lost lets a worker change nothing", async () => {
    const { app, clock, only } = await setupDeliveries(1);
    const zombie = (await claim(app)).map(settlement);
    clock.advance(app.config.deliveryLeaseMs);
    const heir = (await claim(app)).map(settlement);
    expect(await settleDeliveries(app.workerDb, zombie)).toEqual(new Set());
    expect(await only()).toMatchObject({ state: DeliveryState.PENDING, attemptCount: 0, attempts: [] });
    expect(await settleDeliveries(app.workerDb, heir)).toEqual(new Set(heir.map((one) => one.id)));
    expect(await settleDeliveries(app.workerDb, heir)).toEqual(new Set());
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 1 });
  });

  test("that is prolonged in the moment of the settlement is over all the same", async () => {
    const { app, clock, ownerDb, only } = await setupDeliveries(1);
    const claimed = await claim(app);
    const beat = await ownerDb.startTransaction().execute();
    await beat.updateTable("delivery_due").set({ lease_until: clock.now() }).execute();
    const settling = settleDeliveries(app.workerDb, claimed.map(settlement));
    await untilWaiting(ownerDb);
    await beat.commit().execute();
    expect(await settling).toEqual(new Set(claimed.map((one) => one.id)));
    expect(await ownerDb.selectFrom("delivery_due").selectAll().execute()).toEqual([]);
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 1 });
  });

  test("that was taken over while the receiver thinks makes the late answer count for nothing", async () => {
    const { app, ownerDb, receiver, only } = await setupDeliveries(1);
    const asked = Promise.withResolvers<() => void>();
    receiver.behave((response) => asked.resolve(() => response.writeHead(500).end()));
    const slow = deliver(app);
    const answerNow = await asked.promise;
    await ownerDb.updateTable("delivery_due").set({ lease_token: randomUUID() }).execute();
    answerNow();
    await slow;
    expect(await only()).toMatchObject({ state: DeliveryState.PENDING, attemptCount: 0, attempts: [] });
  });

  test("is prolonged while the receiver thinks", async () => {
    const { app, addApp, clock, ownerDb, receiver, only } = await setupDeliveries(1);
    const asked = Promise.withResolvers<() => void>();
    receiver.behave((response) => asked.resolve(() => response.end()));
    const slow = deliver(app);
    const answerNow = await asked.promise;
    const leaseEnds = async () =>
      (await ownerDb.selectFrom("delivery_due").select("lease_until").executeTakeFirstOrThrow()).lease_until;
    clock.advance(app.config.deliveryLeaseMs - 1);
    const until = clock.now().getTime() + app.config.deliveryLeaseMs;
    while (((await leaseEnds())?.getTime() ?? 0) < until); // the worker's own beat
    clock.advance(2);
    expect(await claim(await addApp())).toEqual([]);
    answerNow();
    await slow;
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 1 });
  });

  test("is given back for what was not sent when the worker stops", async () => {
    const { app, addApp, receiver, list } = await setupDeliveries(5, { deliveryConcurrencyMax: 1 });
    const stop = new AbortController();
    receiver.behave((response) => {
      stop.abort();
      response.end();
    });
    expect(await deliver(app, stop.signal)).toBe(1);
    expect((await list()).filter((delivery) => delivery.state === DeliveryState.PENDING)).toHaveLength(4);
    expect(await claim(await addApp())).toHaveLength(4);
  });

  test("is given back when the worker stops between claiming and sending", async () => {
    const { app, receiver } = await setupDeliveries(3);
    const claimed = await claim(app);
    expect(await claim(app)).toEqual([]);
    await releaseDeliveries(app, claimed);
    await releaseDeliveries(app, claimed);
    expect(await claim(app)).toHaveLength(3);
    expect(receiver.got).toEqual([]);
  });
});
