import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";

// Who may do what in the database, read from its own catalog.

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

async function column(query: string): Promise<string[]> {
  const { rows } = await db.query({ text: query, rowMode: "array" });
  return rows.map(([value]) => value);
}

test("the server's roles bypass nothing, own no tables, and cannot change what is final", async () => {
  const { rows } = await db.query(`
    select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
      (select count(*)::int from pg_class where relowner = r.oid) as owned
    from pg_roles r where rolname like 'usageflow\\_%' order by 1`);
  expect(rows.map((row) => row.rolname)).toEqual([
    "usageflow_app",
    "usageflow_erasure",
    "usageflow_ingest",
    "usageflow_invoice",
    "usageflow_worker",
  ]);
  for (const row of rows) {
    expect(row).toMatchObject({
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
      owned: 0,
    });
  }
  const writable = await column(`
    select r.rolname || ' ' || p || ' ' || t
    from pg_roles r, unnest(array['UPDATE', 'DELETE', 'TRUNCATE']) p,
      unnest(array['invoice_document', 'invoice_line', 'invoice_change', 'credit_note', 'credit_entry', 'plan_version', 'usage_event',
        'outbox_event', 'audit_entry']) t
    where r.rolname like 'usageflow\\_%' and r.rolname <> 'usageflow_erasure'
      and (has_table_privilege(r.oid, t, p) or (p = 'UPDATE' and has_any_column_privilege(r.oid, t, p)))`);
  expect(writable).toEqual([]);
});

test("of a discount only its end ever changes, and of a credit what is left and when it was revoked", async () => {
  const { rows } = await db.query(`
    select r.rolname || ' ' || c.relname || '.' || a.attname as may from pg_roles r, pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    where r.rolname like 'usageflow\\_%' and c.relname in ('discount', 'credit_grant')
      and has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE') order by 1`);
  expect(rows.map((row) => row.may)).toEqual([
    "usageflow_app credit_grant.remaining_minor",
    "usageflow_app credit_grant.revoked_at",
    "usageflow_app discount.ends_at",
    "usageflow_worker credit_grant.remaining_minor",
  ]);
});

test("the ingest role may insert usage, compare it, and do nothing else", async () => {
  const { rows } = await db.query(`
    select table_name || ' ' || privilege_type as right from information_schema.role_table_grants
    where grantee = 'usageflow_ingest' order by 1`);
  expect(rows.map((row) => row.right)).toEqual(["usage_batch INSERT", "usage_event INSERT", "usage_event SELECT"]);
  const owned = await column(`select p.proname from pg_proc p join pg_roles r on r.oid = p.proowner
    where r.rolname = 'usageflow_ingest'`);
  expect(owned).toEqual(["ingest_usage"]);
});

test("the invoice role may change the state of an invoice, write it down, and do nothing else", async () => {
  const rights = await column(`
    select table_name || ' ' || privilege_type from information_schema.role_table_grants
    where grantee = 'usageflow_invoice' order by 1`);
  expect(rights).toEqual(["invoice SELECT", "invoice_change INSERT", "invoice_change SELECT"]);
  const columns = await column(`
    select table_name || '.' || column_name from information_schema.role_column_grants
    where grantee = 'usageflow_invoice' and privilege_type = 'UPDATE'`);
  expect(columns).toEqual(["invoice.state"]);
  const others = await column(`
    select r.rolname from pg_roles r where r.rolname in ('usageflow_app', 'usageflow_worker', 'usageflow_ingest')
      and (has_any_column_privilege(r.oid, 'invoice', 'UPDATE') or has_table_privilege(r.oid, 'invoice', 'DELETE')
        or has_table_privilege(r.oid, 'invoice_change', 'INSERT'))`);
  expect(others).toEqual([]);
});

test("the erasure role may take personal data out of what nobody else may change, and do nothing else", async () => {
  const rights = await column(`
    select table_name || ' ' || privilege_type from information_schema.role_table_grants
    where grantee = 'usageflow_erasure' order by 1`);
  const seen = ["audit_entry", "customer_erasure", "delivery", "delivery_attempt", "outbox_event", "usage_event"];
  expect(rights).toEqual(seen.map((name) => `${name} SELECT`));
  const columns = await column(`
    select table_name || '.' || column_name from information_schema.role_column_grants
    where grantee = 'usageflow_erasure' and privilege_type = 'UPDATE' order by 1`);
  expect(columns).toEqual([
    "audit_entry.detail",
    "audit_entry.erasure",
    "audit_entry.original_digest",
    "delivery_attempt.response_body",
    "delivery_attempt.response_headers",
    "outbox_event.data",
    "usage_event.properties",
  ]);
});

test("the only functions that run with another's rights are the known doors, each of its own role", async () => {
  const doors = await column(`
    select p.proname || ' of ' || r.rolname from pg_proc p join pg_roles r on r.oid = p.proowner
    where p.prosecdef and p.pronamespace = 'public'::regnamespace and p.proname !~ '_log_|^oldest_|^delete_|_leaving_'
    order by 1`);
  expect(doors).toEqual([
    "change_invoice_state of usageflow_invoice",
    "erase_audit_detail of usageflow_erasure",
    "erase_delivery_answers of usageflow_erasure",
    "erase_event_data of usageflow_erasure",
    "erase_usage_properties of usageflow_erasure",
    "hold_invoice of usageflow_invoice",
    "ingest_usage of usageflow_ingest",
  ]);
});

test("and those that run with the owner's rights: partitions of the log, one number, and what leaves", async () => {
  const { rows } = await db.query(`
    select p.proname, p.proconfig, array_agg(acl.grantee::regrole::text) as may
    from pg_proc p join pg_class log on log.relname = 'delivery' and log.relowner = p.proowner
    cross join aclexplode(p.proacl) as acl
    where p.prosecdef and p.pronamespace = 'public'::regnamespace and acl.grantee <> p.proowner
    group by p.oid order by 1`);
  const plans = ["enable_seqscan=off", "enable_hashjoin=off", "enable_mergejoin=off"];
  const doors = [
    ["delete_organization", "usageflow_app", []],
    ["delete_tenant_rows", "usageflow_worker", plans],
    ["detach_log_partition", "usageflow_worker", []],
    ["drop_log_partition", "usageflow_worker", []],
    ["hold_leaving_tenant", "usageflow_worker", []],
    ["make_log_week", "usageflow_worker", []],
    ["oldest_snapshot_seconds", "usageflow_worker", []],
    ["open_log_partition", "usageflow_worker", []],
  ] as const;
  const path = "search_path=public, pg_temp";
  expect(rows).toEqual(doors.map(([proname, who, others]) => ({ proname, proconfig: [path, ...others], may: [who] })));
});
