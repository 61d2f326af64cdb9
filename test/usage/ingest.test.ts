import { expect, test } from "vitest";
import type { UsageRow } from "../../server/usage/check-event.ts";
import { createIngest } from "../../server/usage/ingest.ts";
import { setup } from "../support/harness.ts";
import { terminateWaiting } from "../support/waiting.ts";

const rowOf = (tenantId: string, key: string, more: Partial<UsageRow> = {}): UsageRow => ({
  tenantId,
  key,
  metric: "M",
  customerId: "c",
  amount: "1",
  occurredAt: "2015-05-20T00:00:00Z",
  occurredAtSent: true,
  properties: "{}",
  ...more,
});

test("requests that arrive together, of any tenants, share a commit; each hears of its own", async () => {
  const { app, tenant, addOrganization, ownerDb } = await setup();
  const other = await addOrganization("Other");
  const tenants = [tenant.testId, tenant.liveId, other.testId];
  const ingest = createIngest(app);
  const calls = Array.from({ length: 60 }, (_, place) =>
    ingest.store([rowOf(tenants[place % 3] as string, `k${place}`), rowOf(tenants[place % 3] as string, "shared")]),
  );
  const outcomes = await Promise.all(calls);
  expect(outcomes.map(([own]) => own)).toEqual(Array(60).fill("accepted"));
  expect(outcomes.map(([, shared]) => shared)).toEqual([...Array(3).fill("accepted"), ...Array(57).fill("duplicate")]);
  const batches = await ownerDb.selectFrom("usage_batch").selectAll().execute();
  expect(new Set(batches.map((batch) => batch.tenant_id))).toEqual(new Set(tenants));
  expect(new Set(batches.map((batch) => batch.id)).size).toBe(1);
  const events = await ownerDb.selectFrom("usage_event").select("batch_id").distinct().execute();
  expect(events).toEqual([{ batch_id: batches[0]?.id }]);
});

test("a request that the database refuses fails alone", async () => {
  const { app, tenant, ownerDb } = await setup();
  const ingest = createIngest(app);
  const store = (...rows: UsageRow[]) => ingest.store(rows).catch((error: Error & { code: string }) => error.code);
  const outcomes = await Promise.all([
    store(rowOf(tenant.testId, "a")),
    store(rowOf(tenant.testId, "b", { amount: "much" })),
    store(rowOf(tenant.testId, "c"), rowOf(tenant.testId, "d")),
    store(rowOf(tenant.testId, "e"), rowOf(tenant.testId, "f", { metric: null as never })),
    store(rowOf(tenant.testId, "g", { customerId: "\0" })),
    store(rowOf(tenant.testId, "h", { properties: '{"a":"\\ud800"}' })),
    store(rowOf(tenant.testId, "i")),
  ]);
  expect(outcomes).toEqual([["accepted"], "22P02", ["accepted", "accepted"], "23502", "22021", "22P02", ["accepted"]]);
  const rows = await ownerDb.selectFrom("usage_event").select("idempotency_key").orderBy("idempotency_key").execute();
  expect(rows.map((row) => row.idempotency_key)).toEqual(["a", "c", "d", "i"]);
});

test("when the database is lost every request hears so, and the next ones are stored", async () => {
  const { app, tenant, ownerDb } = await setup();
  const ingest = createIngest(app);
  await ingest.store([rowOf(tenant.testId, "a")]);
  const block = await ownerDb.startTransaction().execute();
  await block.insertInto("usage_event").values(stored(tenant.testId, "b")).execute();
  const calls = ["b", "c"].map((key) => ingest.store([rowOf(tenant.testId, key)]).catch((error) => error));
  await terminateWaiting(ownerDb);
  for (const outcome of await Promise.all(calls)) expect(outcome).toBeInstanceOf(Error);
  await block.rollback().execute();
  const again = await Promise.all(["b", "c", "a"].map((key) => ingest.store([rowOf(tenant.testId, key)])));
  expect(again).toEqual([["accepted"], ["accepted"], ["duplicate"]]);
});

function stored(tenantId: string, key: string) {
  return {
    tenant_id: tenantId,
    idempotency_key: key,
    metric: "M",
    customer_id: "c",
    amount: "1",
    occurred_at: new Date(),
    occurred_at_sent: true,
    properties: "{}",
    batch_id: tenantId,
  };
}
