import { expect, test } from "vitest";
import { walkClock } from "../../server/tenant/walk-clock.ts";
import { setup } from "../support/harness.ts";

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
