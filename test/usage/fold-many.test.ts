import { sql } from "kysely";
import { expect, test } from "vitest";
import { Aggregation } from "../../gen/usageflow/v1/pricing_pb.ts";
import { newId } from "../../server/id.ts";
import { foldUsageOfAllTenants } from "../../server/usage/fold-usage.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";

const event = (customerId: string) => ({ metric: "API_CALL", amount: "1", customerId });

test("a backlog with more new customers than a statement has parameters is folded", async () => {
  const { app, tenant, ownerDb } = await setup();
  const batch = newId();
  await sql`
    insert into usage_event
    select ${tenant.testId}, 'key-' || n, 'API_CALL', 'customer-' || n, 1, '2015-05-20T00:00:00Z', true, '{}', ${batch}
    from generate_series(1, 70000) n`.execute(ownerDb);
  await sql`insert into usage_batch values (${tenant.testId}, ${batch}, now())`.execute(ownerDb);
  expect(await foldUsageOfAllTenants(app)).toBe(1);
  const { rows } = await sql<{ customers: number; arrivals: number }>`
    select (select count(*)::int from customer) as customers, (select count(*)::int from customer_arrival) as arrivals
  `.execute(ownerDb);
  expect(rows).toEqual([{ customers: 70_000, arrivals: 70_000 }]);
});

test("a tenant whose fold fails keeps its usage, and holds up nobody", async () => {
  const { app, tenant, clients, ownerDb, addOrganization, clientsFor } = await setup();
  const other = await addOrganization("Other");
  for (const { pricing, usage } of [clients, clientsFor(other.testKey)]) {
    await pricing.pushCatalog({ catalog });
    await usage.trackUsage({ events: [event("ann")] });
  }
  // What no event that was accepted has; it stands for any fault of ours.
  await sql`update usage_event set occurred_at = 'infinity' where tenant_id = ${tenant.testId}`.execute(ownerDb);
  await sql`alter table usage_bucket add constraint finite check (isfinite(hour))`.execute(ownerDb);
  expect(await foldUsageOfAllTenants(app)).toBe(1);
  const left = await ownerDb.selectFrom("usage_batch").select("tenant_id").execute();
  expect(left).toEqual([{ tenant_id: tenant.testId }]);
});

test("every tenant that has usage waiting gets its turn in a round", async () => {
  const { app, ownerDb } = await setup();
  const tenants = Array.from({ length: 120 }, newId);
  for (let round = 0; round < 2; round++) {
    for (const tenantId of tenants) {
      await sql`insert into usage_batch values (${tenantId}, ${newId()}, now())`.execute(ownerDb);
    }
    expect(await foldUsageOfAllTenants(app)).toBe(120);
  }
});

test("events that were accepted before their metric counted unique values do not stop the fold", async () => {
  const { app, tenant, clients, ownerDb } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  await clients.usage.trackUsage({ events: [event("ann")] });
  await ownerDb
    .updateTable("metric")
    .set({ aggregation: "UNIQUE", unique_property: "ip" })
    .where("tenant_id", "=", tenant.testId)
    .where("key", "=", "API_CALL")
    .execute();
  expect(await foldUsageOfAllTenants(app)).toBe(1);
});

test("a time with impossible nanoseconds is refused alone", async () => {
  const { clients } = await setup();
  const metrics = [{ key: "API_CALL", aggregation: Aggregation.SUM }];
  await clients.pricing.pushCatalog({ catalog: { metrics } });
  const seconds = BigInt(Date.parse("2015-05-20T00:00:00Z") / 1_000);
  const times = [-5_000, 2_000_000_000, 999_999_999].map((nanos) => ({ seconds, nanos }));
  const { results } = await clients.usage.trackUsage({
    events: [event("ann"), ...times.map((occurredAt) => ({ ...event("ann"), occurredAt }))],
  });
  expect(results.map(({ outcome, field }) => [outcome, field])).toEqual([
    [1, ""],
    [4, "occurred_at"],
    [4, "occurred_at"],
    [1, ""],
  ]);
});
