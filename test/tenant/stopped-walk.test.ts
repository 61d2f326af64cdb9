import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { plusMs } from "../../server/clock.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { walkClock } from "../../server/tenant/walk-clock.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { takeOver } from "../../server/worker.ts";
import { setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";

test("a walk that is stopped leaves the clock to whoever comes next, at once", async () => {
  const { app, clients, ownerDb, tenant, drain } = await setup();
  const to = { seconds: BigInt(Date.parse("2015-06-02T00:00:00Z") / 1_000) };
  await clients.tenant.advanceClock({ destination: { case: "to", value: to } });
  const stop = new AbortController();
  let steps = 0;
  const work = async () => {
    stop.abort();
    return ++steps;
  };
  expect(await walkClock(app, work, stop.signal)).toBe(1);
  expect(steps).toBe(1);
  const row = await ownerDb
    .selectFrom("tenant")
    .select(["clock_target", "clock_lease_until", "clock_lease_token"])
    .where("tenant_id", "=", tenant.testId)
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({ clock_lease_until: null, clock_lease_token: null });
  expect(row.clock_target).not.toBeNull();
  await drain();
  const clock = (await clients.tenant.getTenant({})).tenant?.clock;
  expect([clock?.now?.seconds, clock?.target]).toEqual([to.seconds, undefined]);
});

test("who knows to be alone takes up at once what a killed worker held", async () => {
  const { app, clients, clock, ownerDb, drain } = await setup({ config: { emulator: true } });
  const receiver = await startReceiver();
  await clients.webhook.createEndpoint({ url: receiver.url, eventTypes: ["customer.created"] });
  await drain();
  // What a worker leaves that is killed in the middle: a claimed delivery, and a clock on its way.
  await clients.tenant.putCustomer({ customer: { id: "ann" } });
  const to = { seconds: BigInt(Date.parse("2015-06-02T00:00:00Z") / 1_000) };
  await clients.tenant.advanceClock({ destination: { case: "to", value: to } });
  const held = { until: plusMs(clock.now(), app.config.deliveryLeaseMs), token: randomUUID() };
  await ownerDb.updateTable("tenant").set({ clock_lease_until: held.until, clock_lease_token: held.token }).execute();
  await dispatchEvents(app, [fanOut(app)]);
  await ownerDb.updateTable("delivery_due").set({ lease_until: held.until, lease_token: held.token }).execute();
  const time = async () => (await clients.tenant.getTenant({})).tenant?.clock?.now?.seconds;
  await drain();
  expect([receiver.got.length, (await time()) === to.seconds]).toEqual([0, false]);
  await takeOver(app);
  await drain();
  expect([receiver.got.length, (await time()) === to.seconds]).toEqual([1, true]);
});
