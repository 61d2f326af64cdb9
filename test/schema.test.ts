import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { generateTables } from "./support/tables.ts";

// The rules of the schema, read from the database's own catalog.

/** Looked up before a tenant is known, or across tenants by the worker: small, and all of them are here. */
const CONTROL_PLANE = ["organization", "server_process", "tenant", "used_key"];

/** An organization's own: as a tenant's, with `organization_id` in the place of `tenant_id`. */
const OF_ORGANIZATIONS = ["access_token", "member"];

/** Policies beside a table's own: the doors across tenants, and for whom they are open. */
const DOORS = [
  "customer_erasure: worker for usageflow_worker",
  "delivery: worker for usageflow_worker",
  "delivery_attempt: worker for usageflow_worker",
  "delivery_due: worker for usageflow_worker",
  "endpoint: worker for usageflow_worker",
  "endpoint_failure: worker for usageflow_worker",
  "endpoint_pace: worker for usageflow_worker",
  "listener: worker for usageflow_worker",
  "organization: place for usageflow_app",
  "organization: worker for usageflow_worker",
  "outbox_event: worker for usageflow_worker",
  "outbox_pending: worker for usageflow_worker",
  "replay: worker for usageflow_worker",
  "rpc_answer: worker for usageflow_worker",
  "rpc_answer: worker_read for usageflow_worker",
  "server_process: worker for usageflow_worker",
  "tenant: place for usageflow_app",
  "tenant: worker for usageflow_worker",
  "tenant_due: worker for usageflow_worker",
  "usage_batch: ingest for usageflow_ingest",
  "usage_batch: worker for usageflow_worker",
  "usage_event: ingest for usageflow_ingest",
  "used_key: app for usageflow_app",
];

let database: TestDatabase;
let db: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  db = new pg.Client(database.ownerUrl);
  await db.connect();
});
afterAll(async () => {
  await db.end();
  await database.drop();
});

async function column(query: string, values: unknown[] = []): Promise<string[]> {
  const { rows } = await db.query({ text: query, values, rowMode: "array" });
  return rows.map(([value]) => value);
}

const TENANT_TABLES = `
  select c.oid, c.relname from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    and c.relname not like 'schema_migration%'`;

describe("every table but the control plane's", () => {
  test("has a tenant_id that is never null", async () => {
    const without = await column(`
      select c.relname from (${TENANT_TABLES}) c
      where not exists (select from pg_attribute a
        where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull and a.atttypid = 'uuid'::regtype)`);
    expect(without.sort()).toEqual([...OF_ORGANIZATIONS, "organization", "server_process", "used_key"]);
  });

  test("has row-level security, enabled and forced; of the control plane it is enabled, and the owner sees all", async () => {
    const open = await column(`
      select c.relname from (${TENANT_TABLES}) t join pg_class c on c.oid = t.oid
      where not (c.relrowsecurity and c.relforcerowsecurity) order by 1`);
    expect(open).toEqual(CONTROL_PLANE);
    const off = await column(`
      select c.relname from (${TENANT_TABLES}) t join pg_class c on c.oid = t.oid where not c.relrowsecurity`);
    expect(off).toEqual([]);
  });

  test("has the one tenant policy, bare, so that it can use an index and be distributed", async () => {
    const { rows } = await db.query(`
      select tablename, qual, with_check, cmd, roles::text from pg_policies
      where policyname in ('tenant', 'organization')`);
    const tables = await column(`select relname from (${TENANT_TABLES}) c order by 1`);
    expect(rows.map((row) => row.tablename).sort()).toEqual(tables.filter((name) => !CONTROL_PLANE.includes(name)));
    for (const row of rows) {
      const place = OF_ORGANIZATIONS.includes(row.tablename) ? "organization_id" : "tenant_id";
      expect(row).toMatchObject({
        qual: `(${place} = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)`,
        with_check: null,
        cmd: "ALL",
        roles: "{public}",
      });
    }
  });

  test("begins its primary, unique and foreign keys and its indexes with tenant_id, or with organization_id", async () => {
    const first = `case when c.relname in (${OF_ORGANIZATIONS.map((name) => `'${name}'`)}) then 'organization_id' else 'tenant_id' end`;
    const keys = await column(`
      select c.relname || '.' || k.conname from (${TENANT_TABLES}) c join pg_constraint k on k.conrelid = c.oid
      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]
      where k.contype in ('p', 'u', 'f', 'x') and a.attname <> ${first} order by 1`);
    expect(keys).toEqual([
      "organization.organization_pkey",
      "server_process.server_process_pkey",
      "tenant.tenant_organization_fkey",
      "tenant.tenant_organization_kind_key",
      "used_key.used_key_pkey",
    ]);
    const indexes = await column(`
      select i.indexrelid::regclass::text from (${TENANT_TABLES}) c join pg_index i on i.indrelid = c.oid
      join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
      where a.attname <> ${first} order by 1`);
    // Work that is claimed across tenants is found by its time.
    expect(indexes).toEqual([
      "endpoint_former_secrets_until",
      "organization_pkey",
      "rpc_answer_created_at",
      "server_process_pkey",
      "tenant_due_due_at",
      "tenant_organization_kind_key",
      "used_key_pkey",
    ]);
  });

  test("refers within its tenant, and never sets a key to null", async () => {
    const foreign = await column(`
      select k.conname from pg_constraint k
      where k.contype = 'f' and (k.confdeltype not in ('a', 'r', 'c')
        or (select a.attname from pg_attribute a where a.attrelid = k.confrelid and a.attnum = k.confkey[1])
          <> 'tenant_id') order by 1`);
    expect(foreign).toEqual(["access_token_member_fkey", "member_organization_fkey", "tenant_organization_fkey"]);
  });
});

test("there are no doors across tenants but the known ones", async () => {
  const doors = await column(`
    select tablename || ': ' || policyname || ' for ' || array_to_string(roles, ',')
    from pg_policies join pg_class c on c.oid = tablename::regclass
    where policyname not in ('tenant', 'organization') and not c.relispartition order by 1`);
  expect(doors).toEqual(DOORS);
});

test("a partition has the policies of its table, and nobody has rights on it but to purge the rest", async () => {
  const policies = (of: string) => `
    select p.polname, p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid)
    from pg_policy p where p.polrelid = ${of}`;
  const others = await column(`
    select c.relname from pg_class c join pg_inherits i on i.inhrelid = c.oid
    where c.relkind = 'r' and (not (c.relrowsecurity and c.relforcerowsecurity)
      or exists (${policies("c.oid")} except ${policies("i.inhparent")})
      or exists (${policies("i.inhparent")} except ${policies("c.oid")}))`);
  expect(others).toEqual([]);
  const { rows } = await db.query(`
    select c.relname || ': ' || acl.grantee::regrole || ' ' || string_agg(acl.privilege_type, ', ' order by acl.privilege_type) as rights
    from pg_class c cross join aclexplode(c.relacl) as acl
    where c.relispartition and c.relkind = 'r' and acl.grantee <> c.relowner group by c.relname, acl.grantee order by 1`);
  expect(rows.map((row) => row.rights)).toEqual([
    "delivery_attempt_rest: usageflow_worker DELETE, SELECT",
    "delivery_rest: usageflow_worker DELETE, SELECT",
    "outbox_event_rest: usageflow_worker DELETE, SELECT",
  ]);
});

test("there are no triggers, and no keys that compare by a language's rules", async () => {
  expect(await column("select tgname from pg_trigger where not tgisinternal")).toEqual([]);
  const keys = await column(`
    select c.relname || '.' || a.attname from (${TENANT_TABLES}) c
    join pg_index i on i.indrelid = c.oid join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
    where a.atttypid = 'text'::regtype and a.attcollation <> '"C"'::regcollation
      and c.relname not in (${CONTROL_PLANE.map((name) => `'${name}'`)})`);
  expect(keys).toEqual([]);
});

test("the row types are those of the migrated database", async () => {
  const out = join(tmpdir(), `usageflow-tables-${process.pid}.ts`);
  await generateTables(database.ownerUrl, out);
  try {
    expect(await readFile(out, "utf8")).toBe(await readFile("server/db/tables.ts", "utf8"));
  } finally {
    await rm(out);
  }
});
