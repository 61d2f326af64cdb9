import { expect, onTestFinished, test } from "vitest";
import { startApi } from "../../server/api.ts";
import { type Clients, createClients } from "../support/clients.ts";
import { type Harness, setup } from "../support/harness.ts";
import { pgbouncer, startPgBouncer } from "../support/pgbouncer.ts";

// Many tenants on few connections, at once: each connection is one tenant's now and another's a moment later.

const TENANTS = 50;
const REQUESTS = 1_000;
const CONNECTIONS = 2;
/** Requests at a time: many for each connection, and few enough that none waits too long. */
const IN_FLIGHT = 40;

interface Canary {
  /** In every name that the tenant gives, and in no other's. */
  word: string;
  key: string;
}

async function canaries(harness: Harness): Promise<Canary[]> {
  const made: Canary[] = [];
  for (let number = 0; number < TENANTS; number++) {
    const word = `canary${number}x`;
    const { testKey: key } = await harness.addOrganization(word);
    const { pricing, tenant, usage } = harness.clientsFor(key);
    const metric = `CALL_${word}`;
    await pricing.pushCatalog({ catalog: { metrics: [{ key: metric, aggregation: 1 }] } });
    await tenant.putCustomer({ customer: { id: `ada_${word}`, name: word } });
    await usage.trackUsage({ events: [{ metric, amount: "1", customerId: `ada_${word}`, idempotencyKey: word }] });
    made.push({ word, key });
  }
  return made;
}

const KINDS = [
  ({ tenant }: Clients) => tenant.listCustomers({}),
  ({ pricing }: Clients) => pricing.pullCatalog({}),
  ({ usage }: Clients) => usage.listUsageEvents({}),
  ({ usage }: Clients, word: string, number: number) =>
    usage.trackUsage({
      events: [{ metric: `CALL_${word}`, amount: "1", customerId: `ada_${word}`, idempotencyKey: `${word}_${number}` }],
    }),
  ({ tenant }: Clients, word: string, number: number) =>
    tenant.putCustomer({ customer: { id: `bob_${word}`, name: `${word} ${number}` } }),
  ({ tenant }: Clients) => tenant.listAuditEntries({}),
];

/** Asks and changes things of all tenants in turn, many at once, and says who was told of another's, or of nothing. */
async function interleave(url: string, made: readonly Canary[]): Promise<string[]> {
  const clients = made.map(({ key }) => createClients(url, key));
  const wrong: string[] = [];
  let next = 0;
  const work = async () => {
    while (next < REQUESTS) {
      const number = next++;
      const at = (number * 7) % TENANTS;
      const { word } = made[at] as Canary;
      const kind = KINDS[Math.floor(number / TENANTS) % KINDS.length] as (typeof KINDS)[number];
      const answer = JSON.stringify(await kind(clients[at] as Clients, word, number), plain);
      const words = new Set(answer.match(/canary\d+x/g));
      if (words.size !== 1 || !words.has(word)) wrong.push(`${word} was told of ${[...words].join() || "nothing"}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return wrong;
}

const plain = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

/** Tenants whose rows have names that are not their own. */
async function strays({ ownerDb }: Harness): Promise<string[]> {
  const customers = await ownerDb.selectFrom("customer").select(["tenant_id", "id"]).execute();
  return [...Map.groupBy(customers, (row) => row.tenant_id)].flatMap(([tenantId, of]) => {
    const words = new Set(of.map(({ id }) => id.replace(/^[a-z]+_/, "")));
    return words.size === 1 ? [] : `${tenantId}: ${[...words].join()}`;
  });
}

const title = `${REQUESTS.toLocaleString("en")} interleaved requests of ${TENANTS} tenants on ${CONNECTIONS} connections meet no foreign row`;

test(`${title}${pgbouncer ? ", nor behind PgBouncer in transaction mode" : " (no pgbouncer was found to try it behind)"}`, async () => {
  const harness = await setup({ config: { databaseConnectionsMax: CONNECTIONS } });
  const made = await canaries(harness);
  expect(await interleave(harness.api.url, made)).toEqual([]);
  if (pgbouncer) {
    const through = await startPgBouncer(pgbouncer);
    const { databaseUrl, workerDatabaseUrl } = harness.database;
    const urls = { databaseUrl: through(databaseUrl), workerDatabaseUrl: through(workerDatabaseUrl) };
    const api = await startApi(await harness.addApp({ ...urls, databaseConnectionsMax: 16 }));
    onTestFinished(() => api.close());
    expect(await interleave(api.url, made)).toEqual([]);
  }
  expect(await strays(harness)).toEqual([]);
});
