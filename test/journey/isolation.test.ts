import { connect } from "node:http2";
import { getOption } from "@bufbuild/protobuf";
import { sql } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { Place, permission, place } from "../../gen/usageflow/v1/permission_pb.ts";
import type { Db } from "../../server/db/database.ts";
import { type Organization, setup } from "../support/harness.ts";
import { liveMonth, liveTogether } from "../support/lived-month.ts";
import { startReceiver } from "../support/receiver.ts";
import { services } from "../support/services.ts";
import { ask, isAbout, nobodys, type Subject, strangerFault } from "../support/strangers.ts";
import { loseTenantPredicates } from "../support/without-predicates.ts";

// What row-level security does by itself. What each method answers to each caller is a matrix of its own
// (rpc/permission.test.ts).

/** Tables of which the worker sees rows of all tenants: its work. */
const WORKERS_DOORS = [
  "customer_erasure",
  "delivery",
  "delivery_attempt",
  "delivery_due",
  "endpoint",
  "endpoint_failure",
  "endpoint_pace",
  "listener",
  "outbox_event",
  "organization",
  "outbox_pending",
  "replay",
  "rpc_answer",
  "tenant",
  "tenant_due",
  "usage_batch",
];

/** Tables of organizations, whose rows have no tenant. */
const OF_ORGANIZATIONS = ["access_token", "member", "organization"];

/** Tables whose rows come and go with the work that they stand for. */
const TRANSIENT = [
  "customer_erasure",
  "usage_batch",
  "usage_news",
  "outbox_pending",
  "customer_arrival",
  "tenant_due",
  "invoice_rerating",
];

/** The column that says whose a row is. */
function placeOf(table: string): string {
  if (table === "organization") return "id";
  return OF_ORGANIZATIONS.includes(table) ? "organization_id" : "tenant_id";
}

const methods = services
  .flatMap((service) => service.methods)
  .filter((method) => [Place.UNSPECIFIED, Place.EITHER].some((one) => one === getOption(method, place)));

/** Two organizations in which everything happened, and a third in which nothing did. */
async function start() {
  const { url } = await startReceiver();
  const harness = await setup({ config: { emulator: true } });
  const { clientsFor, drain, api } = harness;
  const [other, third] = [await harness.addOrganization("Other"), await harness.addOrganization("Third")];
  const session = connect(api.url);
  session.setMaxListeners(0); // each call hears of its end
  onTestFinished(() => session.close());
  const live = async (keys: Organization, name: string): Promise<Subject> => ({
    ...(await liveMonth(clientsFor(keys.testKey), { name, url, drain })),
    ...(await liveTogether(clientsFor, keys, name)).together,
  });
  return { ...harness, other, third, session, live };
}

test("row-level security alone keeps tenants apart: no statement of these names a tenant", async () => {
  const { live, other, ...harness } = await start();
  await live(harness.tenant, "ours");
  await live(other, "theirs");
  const { rows: tables } = await harness.app.pool.query<{ name: string; part: boolean }>(`
    select c.relname as name, c.relispartition as part from pg_class c
    where c.relkind in ('r', 'p') and c.relrowsecurity and c.relnamespace = 'public'::regnamespace
      and c.relname <> 'server_process' -- of nobody but the operator: calls may not read it at all
      and c.relname <> 'used_key' -- of the installation: ids of the server's own keys
    order by 1`);
  await expect(sql`select from server_process`.execute(harness.app.db)).rejects.toThrow(/permission denied/);
  /** Whose rows a role sees: of tenants or, where a table has those, of organizations. */
  const seenBy = async (url: string, table: string, tenantId?: string) => {
    const place = placeOf(table);
    const client = new pg.Client(url);
    await client.connect();
    await client.query("begin");
    if (tenantId) await client.query(`set local app.tenant_id = '${tenantId}'`);
    const { rows } = await client
      .query(`select distinct ${place} as tenant_id from ${table}`)
      .catch((error: Error & { code: string }) => ({ rows: [{ tenant_id: error.code }] }));
    await client.end();
    return rows.map((row) => row.tenant_id);
  };
  const forbidden = ["42501"]; // insufficient_privilege: the role may not read the table at all
  for (const { name, part } of tables) {
    if (part) {
      // Reached through its table alone; what is purged is the worker's to see, and it has none here.
      expect([name, await seenBy(harness.database.databaseUrl, name, other.testId)]).toEqual([name, forbidden]);
      const worker = await seenBy(harness.database.workerDatabaseUrl, name);
      expect([name, worker]).toEqual([name, name.endsWith("_rest") ? [] : forbidden]);
      continue;
    }
    const isOrganizations = OF_ORGANIZATIONS.includes(name);
    const place = sql.ref(placeOf(name));
    const { rows } = await sql<{ tenants: number }>`
      select count(distinct ${place})::int as tenants from ${sql.table(name)}`.execute(harness.ownerDb);
    const tenants = rows[0]?.tenants ?? 0;
    const transient = TRANSIENT.includes(name);
    if (!transient) expect([name, tenants >= 2]).toEqual([name, true]);
    const app = await seenBy(harness.database.databaseUrl, name);
    expect([name, app]).toEqual([name, app.length > 0 ? forbidden : []]);
    const own = isOrganizations ? other.organizationId : other.testId;
    const seen = await seenBy(harness.database.databaseUrl, name, own);
    if (seen[0] !== forbidden[0] && !transient) expect([name, seen]).toEqual([name, [own]]);
    if (WORKERS_DOORS.includes(name)) continue;
    const worker = await seenBy(harness.database.workerDatabaseUrl, name);
    expect([name, worker]).toEqual([name, worker.length > 0 ? forbidden : []]);
  }
});

test("whatever others do, what a tenant reads stays as it was, and their page tokens and idempotency keys are nothing to it", async () => {
  const { live, tenant, other, third, session, clientsFor } = await start();
  const headers = { "x-usageflow-api-key": third.testKey };
  const nobody = nobodys(await live(tenant, "ours"));
  const isOwnKeys = /^(GetTenant|ListApiKeys)$/; // when the key was used last
  const readers = methods.filter(
    (one) => getOption(one, permission).endsWith(":read") && !isAbout(one, nobody) && !isOwnKeys.test(one.name),
  );
  const unary = readers.filter(({ methodKind }) => methodKind === "unary");
  const read = async () => {
    const all = await Promise.all(unary.map((method) => ask(session, method, { headers, of: nobody })));
    return all.map(({ code, body }, at) => [unary[at]?.name, code, Buffer.from(body).toString("latin1")]);
  };
  const before = await read();
  expect(before.length).toBeGreaterThan(20);
  await live(other, "theirs");
  expect(await read()).toEqual(before);

  const theirs = clientsFor(other.testKey);
  const own = clientsFor(third.testKey);
  const lists = [
    (clients: typeof own, page: object) => clients.invoice.listInvoices(page),
    (clients: typeof own, page: object) => clients.invoice.listCreditGrants(page),
    (clients: typeof own, page: object) => clients.invoice.listCreditNotes(page),
    (clients: typeof own, page: object) => clients.invoice.listCreditEntries(page),
    (clients: typeof own, page: object) => clients.pricing.listDiscounts(page),
    (clients: typeof own, page: object) => clients.pricing.listSubscriptions(page),
    (clients: typeof own, page: object) => clients.tenant.listCustomers(page),
    (clients: typeof own, page: object) => clients.tenant.listAuditEntries(page),
    (clients: typeof own, page: object) => clients.usage.listUsageEvents(page),
    (clients: typeof own, page: object) => clients.webhook.listEvents(page),
    (clients: typeof own, page: object) => clients.webhook.listDeliveries(page),
    (clients: typeof own, page: object) => clients.webhook.listEndpoints(page),
    (clients: typeof own, page: object) => clients.webhook.listReplays(page),
  ];
  for (const list of lists) {
    const { nextPageToken } = await list(theirs, { pageSize: 1 });
    expect(nextPageToken).not.toBe("");
    await expect(list(own, { pageToken: nextPageToken })).rejects.toMatchObject({ code: 3 });
  }
  const again = { headers: { "idempotency-key": "push_theirs" } }; // the answer to which is stored, for another
  expect((await own.pricing.pushCatalog({ catalog: {} }, again)).plans).toEqual([]);
});

test("with no tenant named in any statement of a call, row-level security alone lets nothing foreign through", async () => {
  const { live, tenant, other, session, ownerDb } = await start();
  const mutation = loseTenantPredicates();
  onTestFinished(() => mutation.undo());
  const ours = await live(tenant, "ours");
  const theirs = await live(other, "theirs");
  const nobody = nobodys(theirs);
  const before = await rowsOf(ownerDb, other);
  const headers = { "x-usageflow-api-key": tenant.testKey };
  const wrong: string[] = [];
  const [naming = [], nameless = []] = [true, false].map((is) => methods.filter((one) => isAbout(one, theirs) === is));
  for (const method of [...nameless, ...naming]) {
    const [about, none] = await Promise.all([theirs, nobody].map((of) => ask(session, method, { headers, of })));
    if (!about || !none) throw new Error("no answer");
    const fault = strangerFault(method, { theirs: about, none, about: theirs, nobody });
    if (fault) wrong.push(`${method.name} of another: ${fault}`);
    if (/internal|unknown/.test(about.code)) wrong.push(`${method.name}: ${about.code}`);
  }
  for (const method of naming.filter((one) => getOption(one, permission).endsWith(":read"))) {
    const { code } = await ask(session, method, { headers, of: ours });
    if (code === "not_found") wrong.push(`${method.name}: its own is not found`);
  }
  expect(wrong).toEqual([]);
  expect(await rowsOf(ownerDb, other)).toEqual(before); // nothing of theirs was changed
  const domains = ["invoice", "pricing", "tenant", "usage", "webhook"];
  expect([...mutation.lost.keys()].sort()).toEqual(expect.arrayContaining(domains));
  expect([...mutation.kept]).toEqual([]);
});

/** A digest of all rows of a tenant, of each table. */
async function rowsOf(ownerDb: Db, { testId }: Organization): Promise<Record<string, string>> {
  const { rows: tables } = await sql<{ name: string }>`
    select table_name as name from information_schema.columns
    where column_name = 'tenant_id' and table_schema = 'public' order by 1`.execute(ownerDb);
  const digests: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await sql<{ digest: string }>`
      select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as digest
      from ${sql.table(name)} t where tenant_id = ${testId}`.execute(ownerDb);
    digests[name] = rows[0]?.digest ?? "";
  }
  return digests;
}
