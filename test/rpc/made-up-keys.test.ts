import { sql } from "kysely";
import { expect, test } from "vitest";
import { makeSecret } from "../../server/tenant/secret-text.ts";
import { type Harness, setup } from "../support/harness.ts";

const config = { trustedProxies: ["127.0.0.0/8"], databaseConnectionsMax: 8 };

/** What a listing of customers with a key, from an address, is answered: its status. */
async function statusOf({ api }: Harness, key: string, address: string): Promise<number> {
  const { status } = await fetch(`${api.url}/usageflow.v1.TenantService/ListCustomers`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-usageflow-api-key": key, "x-forwarded-for": address },
    body: "{}",
  });
  return status;
}

/** Returns when so many statements wait for a lock. */
async function untilSoManyWait({ ownerDb }: Harness, count: number): Promise<void> {
  for (let waiting = 0; waiting < count; ) {
    const { rows } = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(ownerDb);
    waiting = rows.length;
  }
}

test("made-up keys, however many, leave connections to who is known, and a look to who comes from elsewhere", async () => {
  const harness = await setup({ config });
  const { clients, ownerDb, tenant } = harness;
  const good = "203.0.113.1";
  expect(await statusOf(harness, tenant.testKey, good)).toBe(200);
  await clients.tenant.getTenant({});
  let refused: Promise<number[]> | undefined;
  let look: Promise<number> | undefined;
  await ownerDb.transaction().execute(async (tx) => {
    await sql`lock table api_key in access exclusive mode`.execute(tx); // a look takes as long as this
    const keys = Array.from({ length: 40 }, () => makeSecret("TEST", tenant.testId));
    refused = Promise.all(keys.map((key) => statusOf(harness, key, "198.51.100.1")));
    await untilSoManyWait(harness, 3);
    look = statusOf(harness, tenant.liveKey, good); // not known yet
    await untilSoManyWait(harness, 4);
    expect(await statusOf(harness, tenant.testKey, good)).toBe(200);
  });
  expect(await look).toBe(200);
  expect(new Set(await refused)).toEqual(new Set([401]));
});
