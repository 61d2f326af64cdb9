import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { type DueWork, walkClock } from "../../server/tenant/walk-clock.ts";
import type { Clients } from "../support/clients.ts";
import { type Harness, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

const to = (time: string) => ({ destination: { case: "to", value: timestampFromDate(new Date(time)) } }) as const;
const by = (seconds: number) => ({ destination: { case: "by", value: { seconds: BigInt(seconds) } } }) as const;

async function clockOf({ tenant }: Clients) {
  const { clock } = (await tenant.getTenant({})).tenant ?? {};
  const date = (time: Timestamp | undefined) => time && timestampDate(time).toISOString();
  return { now: date(clock?.now), target: date(clock?.target), frozen: clock?.frozen };
}

/** Makes work due at these times of the test tenant, and a body that does it and notes at which time of the tenant. */
async function makeWork({ ownerDb, tenant }: Harness, times: readonly string[]) {
  const kinds = ["SUBSCRIBE_ARRIVALS", "CLOSE_PERIODS", "FINALIZE_INVOICES"];
  const rows = times.map((time, place) => ({ tenant_id: tenant.testId, work: kinds[place] as string, due_at: time }));
  await ownerDb.insertInto("tenant_due").values(rows).execute();
  const done: string[] = [];
  const work: DueWork = async (_, tenantId) => {
    const { rows: settled } = await sql<{ at: Date }>`
      delete from tenant_due d using tenant t
      where d.tenant_id = ${tenantId} and t.tenant_id = d.tenant_id and d.due_at <= t.clock_frozen_at
      returning t.clock_frozen_at as at`.execute(ownerDb);
    done.push(...settled.map(({ at }) => at.toISOString()));
    return settled.length;
  };
  return { done, work };
}

const none: DueWork = async () => 0;

test("a frozen clock stands until it is advanced, to a time or by a span, and stands there again", async () => {
  const { app, clients, clock } = await setup();
  const start = { now: "2015-05-21T00:00:00.000Z", target: undefined, frozen: true };
  clock.advance(DAY);
  expect(await clockOf(clients)).toEqual(start);
  await clients.tenant.advanceClock(to("2015-05-22T12:00:00Z"));
  expect(await clockOf(clients)).toEqual({ ...start, target: "2015-05-22T12:00:00.000Z" });
  expect(await walkClock(app, none)).toBe(1);
  expect(await clockOf(clients)).toEqual({ ...start, now: "2015-05-22T12:00:00.000Z" });
  await clients.tenant.advanceClock(by(90));
  expect(await walkClock(app, none)).toBe(1);
  expect(await clockOf(clients)).toEqual({ ...start, now: "2015-05-22T12:01:30.000Z" });
  expect(await walkClock(app, none)).toBe(0);
});

test("a clock that is not frozen is real time plus what it was advanced by", async () => {
  const { app, database, clientsFor, clock } = await setup();
  const { test: sandbox } = await initOrganization(database.ownerUrl, app, { name: "Unfrozen" });
  const clients = clientsFor(sandbox.secret);
  const ahead = async () => Date.parse((await clockOf(clients)).now ?? "") - clock.now().getTime();
  expect(await ahead()).toBe(0);
  await clients.tenant.advanceClock(by(3_600));
  await walkClock(app, none);
  expect(await ahead()).toBe(60 * MINUTE);
  clock.advance(5 * MINUTE);
  await clients.tenant.advanceClock(by(60));
  await walkClock(app, none);
  expect([await ahead(), (await clockOf(clients)).frozen]).toEqual([61 * MINUTE, false]);
});

test("asking again extends the way: a later target, or a span from the target", async () => {
  const { clients } = await setup();
  const target = async () => (await clockOf(clients)).target;
  await clients.tenant.advanceClock(to("2015-05-22T00:00:00Z"));
  await clients.tenant.advanceClock(to("2015-05-22T00:00:00Z"));
  expect(await target()).toBe("2015-05-22T00:00:00.000Z");
  await clients.tenant.advanceClock(by(3_600));
  expect(await target()).toBe("2015-05-22T01:00:00.000Z");
  await clients.tenant.advanceClock(to("2015-06-01T00:00:00Z"));
  expect(await target()).toBe("2015-06-01T00:00:00.000Z");
});

test("a clock never goes back, a live one is not moved, and no one leaves the range of time", async () => {
  const { clients, clientsFor, tenant } = await setup();
  const { advanceClock } = clients.tenant;
  const backwards = { code: 3, reason: ErrorReason.CLOCK_BACKWARDS, field: "to" };
  expect(await refused(advanceClock(to("2015-05-20T23:59:59.999Z")))).toEqual(backwards);
  await advanceClock(to("2015-06-01T00:00:00Z"));
  expect(await refused(advanceClock(to("2015-05-31T00:00:00Z")))).toEqual(backwards);
  const live = { code: 9, reason: ErrorReason.CLOCK_NOT_MOVABLE };
  expect(await refused(clientsFor(tenant.liveKey).tenant.advanceClock(by(1)))).toMatchObject(live);
  expect(await refused(advanceClock({}))).toMatchObject({ code: 3, field: "destination" });
  expect(await refused(advanceClock(by(-1)))).toMatchObject({ code: 3, field: "by" });
  expect(await refused(advanceClock(by(315_576_001)))).toMatchObject({ code: 3, field: "by" });
  expect(await refused(advanceClock(to("2200-01-01T00:00:00Z")))).toMatchObject({ code: 3, field: "to" });
});

test("on its way a clock stops at each instant at which work is due, in order", async () => {
  const harness = await setup();
  const times = ["2015-05-25T00:00:00.000Z", "2015-05-23T10:00:00.000Z", "2015-06-02T00:00:00.001Z"];
  const { done, work } = await makeWork(harness, times);
  await harness.clients.tenant.advanceClock(to("2015-06-02T00:00:00Z"));
  await walkClock(harness.app, work);
  expect(done).toEqual(["2015-05-23T10:00:00.000Z", "2015-05-25T00:00:00.000Z"]);
  expect(await clockOf(harness.clients)).toMatchObject({ now: "2015-06-02T00:00:00.000Z", target: undefined });
});

test("of workers that walk at the same time, one has the clock", async () => {
  const harness = await setup();
  const times = ["2015-05-22T00:00:00.000Z", "2015-05-23T00:00:00.000Z", "2015-05-24T00:00:00.000Z"];
  const { done, work } = await makeWork(harness, times);
  await harness.clients.tenant.advanceClock(to("2015-06-01T00:00:00Z"));
  const apps = [harness.app, await harness.addApp(), await harness.addApp()];
  const walked = await Promise.all(apps.map((app) => walkClock(app, work)));
  expect(walked.sort()).toEqual([0, 0, 1]);
  expect(done).toEqual(times);
});

test("when a walker dies on the way, another goes on where the clock stands, once its lease is over", async () => {
  const harness = await setup();
  const { app, clock, clients } = harness;
  const times = ["2015-05-22T00:00:00.000Z", "2015-05-23T00:00:00.000Z"];
  const { done, work } = await makeWork(harness, times);
  await clients.tenant.advanceClock(to("2015-06-01T00:00:00Z"));
  const dying: DueWork = async (given, tenantId) => {
    if (done.length === 1) throw new Error("killed");
    return work(given, tenantId);
  };
  await expect(walkClock(app, dying)).rejects.toThrow("killed");
  const stands = { now: "2015-05-22T00:00:00.000Z", target: "2015-06-01T00:00:00.000Z" };
  expect(await clockOf(clients)).toMatchObject(stands);
  expect(await walkClock(app, work)).toBe(0);
  clock.advance(MINUTE + 1);
  expect(await walkClock(app, work)).toBe(1);
  expect(done).toEqual(times);
  expect(await clockOf(clients)).toMatchObject({ now: "2015-06-01T00:00:00.000Z", target: undefined });
});

test("a walker that lost its lease changes nothing any more", async () => {
  const harness = await setup();
  const { app, clock, clients } = harness;
  await clients.tenant.advanceClock(to("2015-06-01T00:00:00Z"));
  let other = 0;
  const slow: DueWork = async () => {
    clock.advance(MINUTE + 1);
    other += await walkClock(app, none);
    await clients.tenant.advanceClock(to("2015-07-01T00:00:00Z"));
    return 0;
  };
  expect(await walkClock(app, slow)).toBe(1);
  expect(other).toBe(1);
  const stands = { now: "2015-06-01T00:00:00.000Z", target: "2015-07-01T00:00:00.000Z" };
  expect(await clockOf(clients)).toMatchObject(stands);
});
