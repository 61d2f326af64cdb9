-- Roles, tenants, and what must be found before a tenant is known.
--
-- Rules of this schema (they let it be distributed by tenant_id with no change):
--   * tenant_id comes first in every primary, unique and foreign key; no triggers; no volatile functions in UPDATE;
--   * every tenant table has row-level security, forced, with the policy `tenant`; a policy `worker` or `ingest` beside
--     it is a door across tenants, and there are few;
--   * keys compare as bytes (collate "C"); constraints have names; enumerations are CHECKs.
-- test/schema.test.ts reads the database's own catalog and proves them.

do $$
begin
  -- Roles belong to the cluster, so another database may have made them already.
  -- The application and the worker own nothing and bypass nothing. They have no password until an operator gives one.
  if not exists (select from pg_roles where rolname = 'usageflow_app') then
    create role usageflow_app login nosuperuser nobypassrls;
  end if;
  if not exists (select from pg_roles where rolname = 'usageflow_worker') then
    create role usageflow_worker login nosuperuser nobypassrls;
  end if;
  -- Owns the function that writes usage of many tenants in one statement, and may do nothing else.
  if not exists (select from pg_roles where rolname = 'usageflow_ingest') then
    create role usageflow_ingest nologin nosuperuser nobypassrls;
  end if;
  execute format('grant usageflow_ingest to %I', current_user);
  execute format('grant connect on database %I to usageflow_app, usageflow_worker', current_database());
end
$$;

grant usage on schema public to usageflow_app, usageflow_worker, usageflow_ingest;

-- Control plane: no row-level security, because a tenant is looked up here. Kept small.
create table organization (
  id uuid not null,
  name text not null,
  created_at timestamptz not null,
  constraint organization_pkey primary key (id),
  constraint organization_name_length check (char_length(name) between 1 and 255)
);

-- Control plane. Carries the tenant's clock: real time plus an offset, or a time at which it stands.
create table tenant (
  tenant_id uuid not null,
  organization_id uuid not null,
  kind text not null,
  grace_period_s integer not null default 3600,
  backfill_window_s integer not null default 3024000, -- 35 days: a month, and some days to notice
  clock_frozen_at timestamptz,
  clock_offset_ms bigint not null default 0,
  clock_target timestamptz,       -- where an advance is heading; null when none is under way
  clock_lease_until timestamptz,  -- process time: the worker that advances the clock has it until then
  clock_lease_token uuid,
  created_at timestamptz not null,
  constraint tenant_pkey primary key (tenant_id),
  constraint tenant_organization_fkey foreign key (organization_id) references organization (id),
  constraint tenant_organization_kind_key unique (organization_id, kind),
  constraint tenant_kind check (kind in ('LIVE', 'TEST')),
  constraint tenant_live_clock_is_real check (
    kind = 'TEST' or (clock_frozen_at is null and clock_offset_ms = 0 and clock_target is null)
  ),
  constraint tenant_grace_period_not_negative check (grace_period_s >= 0),
  constraint tenant_backfill_window_not_negative check (backfill_window_s >= 0)
);

-- What falls due next for a tenant, in the tenant's time: one row per kind of work. The row's lock is
-- the right to do that work for that tenant.
create table tenant_due (
  tenant_id uuid not null,
  work text collate "C" not null,
  due_at timestamptz not null,
  constraint tenant_due_pkey primary key (tenant_id, work),
  constraint tenant_due_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
  constraint tenant_due_work check (work in ('SUBSCRIBE_ARRIVALS', 'CLOSE_PERIODS', 'FINALIZE_INVOICES'))
);
create index tenant_due_due_at on tenant_due (due_at);

create table api_key (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  role text not null,
  prefix text not null,
  hash bytea not null,             -- HMAC-SHA-256 of the whole key with the pepper; the key itself is nowhere
  created_at timestamptz not null, -- process time, as all of a key's life
  revoked_at timestamptz,
  constraint api_key_pkey primary key (tenant_id, id),
  constraint api_key_hash_key unique (tenant_id, hash),
  constraint api_key_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
  constraint api_key_role check (role in ('OWNER', 'ADMIN', 'DEVELOPER', 'BILLING', 'VIEWER', 'INGEST'))
);

create table customer (
  tenant_id uuid not null,
  id text collate "C" not null,
  name text not null default '',
  created_at timestamptz not null, -- tenant time
  constraint customer_pkey primary key (tenant_id, id),
  constraint customer_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);

-- Customers first seen in usage that pricing has not looked at yet.
create table customer_arrival (
  tenant_id uuid not null,
  customer_id text collate "C" not null,
  constraint customer_arrival_pkey primary key (tenant_id, customer_id),
  constraint customer_arrival_customer_fkey foreign key (tenant_id, customer_id) references customer (tenant_id, id)
);

-- Answers of calls that carried an idempotency key, to be given again. Sealed, because some hold a secret.
create table rpc_answer (
  tenant_id uuid not null,
  idempotency_key text collate "C" not null,
  method text not null,
  request_hash bytea not null,
  answer bytea not null,
  created_at timestamptz not null, -- process time
  constraint rpc_answer_pkey primary key (tenant_id, idempotency_key),
  constraint rpc_answer_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);
create index rpc_answer_created_at on rpc_answer (created_at);

alter table tenant_due enable row level security;
alter table tenant_due force row level security;
create policy tenant on tenant_due
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on tenant_due to usageflow_worker using (true);

alter table api_key enable row level security;
alter table api_key force row level security;
create policy tenant on api_key
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table customer enable row level security;
alter table customer force row level security;
create policy tenant on customer
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table customer_arrival enable row level security;
alter table customer_arrival force row level security;
create policy tenant on customer_arrival
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table rpc_answer enable row level security;
alter table rpc_answer force row level security;
create policy tenant on rpc_answer
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on rpc_answer for delete to usageflow_worker using (true);
create policy worker_read on rpc_answer for select to usageflow_worker using (true);

-- The application makes no tenants: that is the owner's, on its own URL.
grant select on organization, tenant to usageflow_app, usageflow_worker;
grant update (grace_period_s, backfill_window_s, clock_target) on tenant to usageflow_app;
grant update (clock_frozen_at, clock_offset_ms, clock_target, clock_lease_until, clock_lease_token)
  on tenant to usageflow_worker;
grant select, insert, update on tenant_due to usageflow_app;
grant select, insert, update, delete on tenant_due to usageflow_worker;
grant select, insert on api_key to usageflow_app;
grant update (revoked_at) on api_key to usageflow_app;
grant select, insert, update on customer to usageflow_app;
grant select, insert on customer to usageflow_worker;
grant select, insert, update, delete on customer_arrival to usageflow_app, usageflow_worker;
grant select, insert on rpc_answer to usageflow_app;
grant delete, select (tenant_id, created_at) on rpc_answer to usageflow_worker;
