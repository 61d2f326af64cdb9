import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { catalog } from "../support/catalog.ts";
import { doors } from "../support/doors.ts";
import { type Harness, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { untilWaiting } from "../support/waiting.ts";

test("a call that takes longer than the server's limit is answered, whatever deadline its client set", async () => {
  const { clients, ownerDb } = await setup({ config: { requestTimeoutMs: 100 } });
  const block = await ownerDb.startTransaction().execute();
  await block.selectFrom("tenant").selectAll().forUpdate().execute();
  const to = { seconds: BigInt(Date.parse("2015-06-02T00:00:00Z") / 1_000) };
  const advance = (timeoutMs?: number) =>
    clients.tenant.advanceClock({ destination: { case: "to", value: to } }, timeoutMs ? { timeoutMs } : {});
  await expect(advance()).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await expect(advance(600_000)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await block.rollback().execute();
});

const waitingStatements = async ({ ownerDb }: Harness) => {
  const { rows } = await sql`
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(ownerDb);
  return rows.length;
};

test("a statement gets the time that the client gives, and the database ends it", async () => {
  const harness = await setup();
  const { clients, ownerDb } = harness;
  const block = await ownerDb.startTransaction().execute();
  await block.selectFrom("tenant").selectAll().forUpdate().execute();
  const update = refused(clients.tenant.updateTenant({ invoicePrefix: "X-" }, { timeoutMs: 500 }));
  expect(await update).toMatchObject({ code: Code.DeadlineExceeded });
  await expect.poll(() => waitingStatements(harness)).toBe(0); // and whoever blocked it is still there
  await block.rollback().execute();
});

test("what a client began that has gone is rolled back, and never half done", async () => {
  const { clients, ownerDb } = await setup();
  const before = await clients.tenant.getTenant({});
  const block = await ownerDb.startTransaction().execute();
  await block.selectFrom("tenant").selectAll().forUpdate().execute();
  const gone = new AbortController();
  const update = refused(clients.tenant.updateTenant({ invoicePrefix: "X-" }, { signal: gone.signal }));
  await untilWaiting(ownerDb);
  gone.abort();
  expect(await update).toMatchObject({ code: Code.Canceled });
  await clients.invoice.listInvoices({}); // by now the server has seen the end of the call before
  await block.rollback().execute();
  await clients.tenant.updateTenant({ timeZone: "Europe/Berlin" }); // comes after it
  const { tenant } = await clients.tenant.getTenant({});
  expect(tenant).toMatchObject({ invoicePrefix: before.tenant?.invoicePrefix, timeZone: "Europe/Berlin" });
});

test("usage that waited longer than its client does is not stored, and the answer says so", async () => {
  const { api, clients, clock, ownerDb, tenant } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const headers = { "x-usageflow-api-key": tenant.testKey };
  const send = async (door: string, key: string, more = {}) => {
    const event = { metric: "API_CALL", amount: "1", customerId: "c", idempotencyKey: key };
    const { answer } = (await doors[door]?.(api.url, { ...headers, ...more }, [event])) ?? {};
    return answer;
  };
  await send("lane", "before");
  const row = await ownerDb.selectFrom("usage_event").selectAll().executeTakeFirstOrThrow();
  const block = await ownerDb.startTransaction().execute();
  await block
    .insertInto("usage_event")
    .values({ ...row, idempotency_key: "first" })
    .execute();
  const first = send("lane", "first"); // holds up the commit of those behind it
  await untilWaiting(ownerDb);
  const late = [
    send("lane", "lane", { "grpc-timeout": "30S" }),
    send("grpc", "grpc", { "grpc-timeout": "30S" }),
    send("track", "track"),
  ];
  const inTime = send("lane", "in time", { "grpc-timeout": "10M" });
  await clients.invoice.listInvoices({});
  clock.advance(60_001);
  await block.rollback().execute();
  for (const answer of await Promise.all(late)) {
    expect(answer).toMatchObject({ code: "deadline_exceeded", reason: "OVERLOADED" });
    expect(answer?.message).toMatch(/nothing of it was stored/);
  }
  expect((await Promise.all(late))[2]?.status).toBe(504);
  expect([(await first)?.code, (await inTime)?.code]).toEqual(["ok", "deadline_exceeded"]); // a minute is the longest
  const stored = await ownerDb.selectFrom("usage_event").select("idempotency_key").execute();
  expect(stored.map((each) => each.idempotency_key).sort()).toEqual(["before", "first"]);
});
