import { sql } from "kysely";
import { asking, type Invariant } from "./invariant.ts";

// Of tenants, and of organizations. Of the control plane the owner sees all.
const TABLES = sql`(
  select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname !~ '^schema_migration'
    and c.relname not in ('tenant', 'organization', 'server_process', 'used_key')
)`;

/** That the database holds tenants apart, and holds what it promises. */
export const schemaInvariants: readonly Invariant[] = [
  {
    name: "tables-bound",
    says: "Every table of tenants has row-level security, enabled and forced, with the tenant's policy.",
    meaning: "One tenant's call can reach another's rows.",
    remedy: "alter table NAME enable row level security, and force it, as the owner; then find who took it off.",
    of: "database",
    look: asking(
      () => sql`
        select format('table %s', relname) from ${TABLES} as t
        where not relrowsecurity or not relforcerowsecurity or not exists (
          select from pg_policies p where p.schemaname = 'public' and p.tablename = t.relname
            and p.policyname in ('tenant', 'organization') and p.cmd = 'ALL' and p.permissive = 'PERMISSIVE' and p.qual =
              format('(%s_id = (NULLIF(current_setting(''app.tenant_id''::text, true), ''''::text))::uuid)', p.policyname)
        ) order by 1`,
    ),
  },
  {
    name: "roles-bound",
    says: "The roles of servers bypass nothing and own nothing.",
    meaning: "Row-level security does not bind what runs under them.",
    remedy:
      "alter role NAME nosuperuser nobypassrls nocreaterole nocreatedb, and give what it owns to the schema's owner.",
    of: "database",
    look: asking(
      () => sql`
        select format('role %s may bypass row-level security, or make roles', rolname) from pg_roles
        where rolname ^@ 'usageflow_' and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
        union all
        select format('role %s owns %s', rolname, c.relname) from pg_class c join pg_roles r on r.oid = c.relowner
        where rolname ^@ 'usageflow_' and c.relnamespace = 'public'::regnamespace
        union all
        select format('role %s is a member of %s', m.member::regrole, m.roleid::regrole) from pg_auth_members m
        where m.member::regrole::text in ('usageflow_app', 'usageflow_worker')
        order by 1`,
    ),
  },
  {
    name: "final-unchangeable",
    says: "No login of a server may change or delete what is final.",
    meaning: "A fault, or whoever breaks into a server, can change invoices, usage or the audit log.",
    remedy: "revoke update, delete, truncate on TABLE from ROLE, as the owner.",
    of: "database",
    look: asking(
      () => sql`
        select format('%s may %s %s', r.rolname, lower(verb), t.relname)
        from pg_roles r, unnest(array['UPDATE', 'DELETE', 'TRUNCATE']) as verb, pg_class t
        where t.relnamespace = 'public'::regnamespace and t.relname = any(array['invoice_document', 'invoice_line',
            'invoice_change', 'credit_note', 'credit_entry', 'plan_version', 'usage_event', 'usage_void', 'usage_fold',
            'outbox_event', 'audit_entry'])
          and r.rolcanlogin and not r.rolsuper and r.oid <> t.relowner
          -- who owns another installation on this server of PostgreSQL has the same roles
          and not exists (select from pg_database d where d.datdba = r.oid)
          and (pg_has_role(r.oid, 'usageflow_app', 'usage') or pg_has_role(r.oid, 'usageflow_worker', 'usage'))
          and (has_table_privilege(r.oid, t.oid, verb)
            or (verb = 'UPDATE' and has_any_column_privilege(r.oid, t.oid, verb)))
        order by 1`,
    ),
  },
  {
    name: "schema-sound",
    says: "Every index is valid, and every constraint was checked; there are no triggers.",
    meaning: "What should be unique may be there twice, or a rule does not hold for old rows.",
    remedy: "reindex index NAME, or alter table NAME validate constraint NAME; drop a trigger that somebody added.",
    of: "database",
    look: asking(
      () => sql`
        select format('index %s is not valid', indexrelid::regclass) from pg_index i join pg_class c on c.oid = i.indrelid
        where c.relnamespace = 'public'::regnamespace and not (indisvalid and indisready)
        union all
        select format('constraint %s of %s was not checked', conname, conrelid::regclass) from pg_constraint
        where connamespace = 'public'::regnamespace and not convalidated and contype <> 'n'
        union all
        select format('trigger %s of %s', tgname, tgrelid::regclass) from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = 'public'::regnamespace and not tgisinternal order by 1`,
    ),
  },
];
