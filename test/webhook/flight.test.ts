import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { App } from "../../server/app.ts";
import type { Db } from "../../server/db/database.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { claimDeliveries, FIRST_TURN } from "../../server/webhook/claim-deliveries.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { createRoom } from "../../server/webhook/room.ts";
import { setupDeliveries } from "./deliveries.ts";
import { stageEvents, times } from "./stage-events.ts";

const claim = async (app: App) => (await claimDeliveries(app, FIRST_TURN, createRoom(1_000))).claimed;
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await turn();
}

/** Holds up settlements, and nothing else, until the function that it answers is called. */
async function holdSettlements(db: Db): Promise<() => void> {
  const locked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const holding = db.transaction().execute(async (tx) => {
    await sql`lock table delivery_attempt in exclusive mode`.execute(tx);
    locked.resolve();
    await released.promise;
  });
  await Promise.race([locked.promise, holding]);
  return released.resolve;
}

/** The connections whose settlement waits for a lock. */
async function settling(db: Db): Promise<number[]> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
  return rows.map((row) => row.pid);
}

describe("a delivery", () => {
  test("that is claimed again by the worker that lost it is waited for twice, and settled once", async () => {
    const { app, ownerDb, receiver, only } = await setupDeliveries(1);
    const answers: (() => void)[] = [];
    receiver.behave((response) => answers.push(() => response.end()));
    let over = false;
    const delivering = deliver(app).then(() => {
      over = true;
    });
    await until(() => answers.length === 1);
    await ownerDb.updateTable("delivery_due").set({ lease_until: null, lease_token: null }).execute();
    await until(() => answers.length === 2);
    answers[1]?.();
    await until(async () => (await only()).state === DeliveryState.DELIVERED);
    for (let times = 0; times < 50; times++) await turn();
    expect(over).toBe(false);
    answers[0]?.();
    await delivering;
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 1 });
  });

  test("is sent once while its settlement waits for a slow database, however long", async () => {
    const { app, addApp, clock, ownerDb, receiver, list } = await setupDeliveries(200);
    const other = await addApp();
    const release = await holdSettlements(ownerDb);
    const delivering = deliver(app);
    await until(() => receiver.got.length === 200);
    for (let beat = 0; beat < 5; beat++) {
      clock.advance(app.config.deliveryLeaseMs / 2);
      const prolonged = clock.now().getTime() + app.config.deliveryLeaseMs;
      const last = () => sql<{ at: Date }>`select max(lease_until) as at from delivery_due`.execute(ownerDb);
      await until(async () => ((await last()).rows[0]?.at.getTime() ?? 0) >= prolonged);
      expect(await claim(other)).toEqual([]);
    }
    release();
    await delivering;
    while ((await deliver(other)) > 0);
    expect(receiver.got).toHaveLength(200);
    expect((await list()).every((one) => one.state === DeliveryState.DELIVERED && one.attemptCount === 1)).toBe(true);
  });

  test("waits to be claimed when settlements are behind", async () => {
    const { app, ownerDb, receiver } = await setupDeliveries(100, { deliveryConcurrencyMax: 16 });
    const release = await holdSettlements(ownerDb);
    const delivering = deliver(app);
    await until(async () => (await settling(ownerDb)).length > 0);
    for (let looks = 0; looks < 50; looks++) await claimed(ownerDb);
    expect(await claimed(ownerDb)).toBeLessThanOrEqual(16); // a quarter of what one process holds
    release();
    await delivering;
    expect(receiver.got).toHaveLength(100);
  });

  test("is not sent again because the connection broke that settled it", async () => {
    const { app, ownerDb, receiver, only } = await setupDeliveries(1);
    const release = await holdSettlements(ownerDb);
    const delivering = deliver(app);
    await until(async () => (await settling(ownerDb)).length > 0);
    const [pid] = await settling(ownerDb);
    await sql`select pg_terminate_backend(${pid})`.execute(ownerDb);
    release();
    await delivering.catch(() => {}); // its next claim may be given the same connection: the loop would begin another pass
    expect(await only()).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 1 });
    expect(await deliver(app)).toBe(0);
    expect(receiver.got).toHaveLength(1);
  });
});

async function claimed(db: Db): Promise<number> {
  const { rows } = await sql<{ count: bigint }>`
    select count(*) as count from delivery_due where lease_until is not null`.execute(db);
  return Number(rows[0]?.count);
}

test("what was claimed and not yet sent is given back when its endpoint is paused", async () => {
  const { app, clients, clock, endpointId, ownerDb, receiver, list } = await setupDeliveries(100, {
    deliveryConcurrencyMax: 16,
  });
  const held: (() => void)[] = [];
  let paused = false;
  receiver.behave((response) => {
    if (receiver.got.length <= 20 || paused) response.end();
    else held.push(() => response.end());
  });
  const delivering = deliver(app);
  await until(() => held.length > 0);
  await clients.webhook.pauseEndpoint({ id: endpointId });
  clock.advance(app.config.pollMs + 1);
  paused = true;
  for (const end of held) end();
  await delivering;
  const sent = receiver.got.length;
  expect(sent).toBeLessThanOrEqual(24); // four at a time
  expect(await claimed(ownerDb)).toBe(0);
  expect((await list()).filter((one) => one.state === DeliveryState.PENDING)).toHaveLength(100 - sent);
});

test("all get through where endpoints are many and slots are few", async () => {
  const { app, clients, receiver, tenant } = await setupDeliveries(0, { deliveryConcurrencyMax: 8 });
  for (let count = 0; count < 29; count++) await clients.webhook.createEndpoint({ url: receiver.url });
  await stageEvents(app, tenant.testId, times(20));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  while ((await deliver(app)) > 0);
  expect(receiver.got).toHaveLength(600);
});

test("a claim reads what it claims, however much the endpoint has waiting", async () => {
  const { addApp, clients, endpointId, ownerDb, receiver, tenant, app } = await setupDeliveries(20);
  const one = await addApp({ databaseConnectionsMax: 1 });
  const read = async () => {
    await sql`select pg_stat_force_next_flush()`.execute(one.workerDb);
    await sql`select`.execute(one.workerDb);
    const { rows } = await sql<{ read: bigint }>`
      select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint as read from pg_stat_user_tables
      where relname in ('delivery', 'delivery_due', 'outbox_event')`.execute(ownerDb);
    return Number(rows[0]?.read);
  };
  const cost = async () => {
    const before = await read();
    await claimDeliveries(one, FIRST_TURN, createRoom(16));
    return (await read()) - before;
  };
  const few = await cost();
  await stageEvents(app, tenant.testId, times(3_000));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  await clients.webhook.updateEndpoint({ id: endpointId, url: receiver.url, maxInFlight: 100 });
  expect(await cost()).toBeLessThanOrEqual(2 * few + 20);
});
