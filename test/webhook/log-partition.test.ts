import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { inTenant } from "../../server/db/database.ts";
import { keepLog } from "../../server/webhook/keep-log.ts";
import { ageLog, countRows, keepAll, THIS_AND_NEXT, weeksOf } from "./age-log.ts";
import { setupDeliveries } from "./deliveries.ts";
import { stageEvents, times } from "./stage-events.ts";

describe("partitions of the log", () => {
  test("are made ahead and dropped once, however many processes do it", async () => {
    const harness = await setupDeliveries(1);
    const { app, addApp, ownerDb } = harness;
    await harness.drain();
    await ageLog(harness, 100);
    const week = (await weeksOf(harness)).at(-1)?.slice(-8);
    for (const log of ["delivery", "delivery_attempt", "outbox_event"]) {
      await sql`drop table ${sql.id(`${log}_${week}`)}`.execute(ownerDb);
    }
    const apps = [app, await addApp(), await addApp()];
    const done = await Promise.all(apps.map((one) => keepLog(one)));
    await Promise.all(apps.map(keepAll));
    expect(done.reduce((sum, one) => sum + one, 0)).toBe(6);
    expect(await weeksOf(harness)).toHaveLength(THIS_AND_NEXT);
    expect(await weeksOf(harness)).toContain(`delivery_${week}`);
  });

  test("are not needed for anything: without them rows are in the rest, and a week that has some there goes on so", async () => {
    const harness = await setupDeliveries(0);
    const { app, clients, ownerDb, tenant, receiver } = harness;
    for (const name of await weeksOf(harness)) await sql`drop table ${sql.id(name)}`.execute(ownerDb);
    await stageEvents(app, tenant.testId, times(2));
    await harness.drain();
    expect(receiver.got).toHaveLength(2);
    expect((await clients.webhook.listDeliveries({})).deliveries).toHaveLength(2);
    expect(await countRows(harness, "delivery_rest")).toBe(2);
    expect(await weeksOf(harness)).toHaveLength(2 * 3); // the next two
    expect(await keepLog(app)).toBe(0);
  });

  test("are left where they are while somebody uses their table for long, and nothing of them is lost", async () => {
    const harness = await setupDeliveries(2);
    const { app, tenant } = harness;
    await harness.drain();
    await ageLog(harness, 100);
    await inTenant(app.db, tenant.testId, async (tx) => {
      await tx.selectFrom("delivery").select("id").where("tenant_id", "=", tenant.testId).execute();
      expect(await keepLog(app)).toBe(0);
      expect(await harness.list()).toHaveLength(2);
    });
    expect(await keepLog(app)).toBe(3);
    expect(await harness.list()).toEqual([]);
  });

  test("that have very much waiting are purged where they are, and dropped once it is less", async () => {
    const harness = await setupDeliveries(3);
    const { app, clients, ownerDb } = harness;
    await harness.drain();
    await ageLog(harness, 100);
    const [old] = await harness.list();
    await clients.webhook.pauseEndpoint({ id: harness.endpointId });
    await clients.webhook.retryDelivery({ id: old?.id ?? "" });
    const weeks = await weeksOf(harness);
    await sql`
      insert into delivery_due (tenant_id, delivery_id, endpoint_id, event_id, sequence, created_at, next_attempt_at)
      select tenant_id, overlay(delivery_id::text placing lpad(n::text, 12, '0') from 25)::uuid, gen_random_uuid(), event_id,
        n, created_at, next_attempt_at
      from delivery_due, generate_series(1, 10000) n`.execute(ownerDb);
    await keepAll(app);
    expect(await weeksOf(harness)).toEqual(weeks);
    expect(await countRows(harness, "delivery")).toBe(1);
    expect(await countRows(harness, "delivery_attempt")).toBe(1);
    expect(await countRows(harness, "outbox_event")).toBe(1);
    await sql`delete from delivery_due where sequence > 100`.execute(ownerDb);
    await keepAll(app);
    expect(await weeksOf(harness)).toHaveLength(THIS_AND_NEXT);
    expect(await countRows(harness, "delivery_rest")).toBe(1);
  });

  test("cannot be taken out by a worker while they may be younger than a day, and are nobody's but their table's", async () => {
    const harness = await setupDeliveries(1);
    const { app } = harness;
    const [name = ""] = (await weeksOf(harness)).filter((one) => /^delivery_\d/.test(one));
    const call = (text: ReturnType<typeof sql>) => text.execute(app.workerDb);
    await expect(call(sql`select detach_log_partition('delivery', ${name})`)).rejects.toThrow("is too young");
    await expect(call(sql`select open_log_partition('delivery', ${name})`)).rejects.toThrow("is too young");
    await expect(call(sql`select drop_log_partition(${name})`)).rejects.toThrow("is no partition that was taken out");
    await expect(call(sql`select drop_log_partition('endpoint')`)).rejects.toThrow(
      "is no partition that was taken out",
    );
    await expect(call(sql`select detach_log_partition('endpoint', 'x')`)).rejects.toThrow();
    await expect(call(sql`select make_log_week('endpoint', '2026-11-23T00:00:00Z')`)).rejects.toThrow("is no log");
    await expect(call(sql`select make_log_week('delivery', '2026-11-24T00:00:00Z')`)).rejects.toThrow("begins no week");
    await expect(call(sql`select * from ${sql.id(name)}`)).rejects.toThrow("permission denied");
    await expect(sql`select * from delivery_rest`.execute(app.db)).rejects.toThrow("permission denied");
    expect(await countRows(harness, "delivery")).toBe(1);
  });
});
