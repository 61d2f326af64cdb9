-- What is sold, and to whom.

create table plan (
  tenant_id uuid not null,
  key text collate "C" not null,
  latest_version integer not null,
  is_default boolean not null default false,
  constraint plan_pkey primary key (tenant_id, key),
  constraint plan_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);
-- At most one default plan per tenant.
create unique index plan_default_key on plan (tenant_id) where is_default;

-- Published content: inserted and read, never changed.
create table plan_version (
  tenant_id uuid not null,
  plan_key text collate "C" not null,
  version integer not null,
  definition jsonb not null, -- the contract's Plan as proto3 JSON
  published_at timestamptz not null, -- tenant time
  constraint plan_version_pkey primary key (tenant_id, plan_key, version),
  constraint plan_version_plan_fkey foreign key (tenant_id, plan_key) references plan (tenant_id, key),
  constraint plan_version_positive check (version > 0)
);

create table subscription (
  tenant_id uuid not null,
  id uuid not null,
  customer_id text collate "C" not null,
  plan_key text collate "C" not null,
  plan_version integer not null,
  started_at timestamptz not null,
  ends_at timestamptz,               -- null: it goes on
  period_start timestamptz not null, -- the open period, [start, end)
  period_end timestamptz not null,
  advance_billed_until timestamptz not null, -- end of the last period whose fees in advance are invoiced
  due_at timestamptz,                -- when billing must look at it next; null: it is over and all is invoiced
  constraint subscription_pkey primary key (tenant_id, id),
  constraint subscription_customer_fkey foreign key (tenant_id, customer_id) references customer (tenant_id, id),
  constraint subscription_plan_version_fkey foreign key (tenant_id, plan_key, plan_version)
    references plan_version (tenant_id, plan_key, version),
  constraint subscription_period_order check (period_start <= period_end)
);
-- In the order in which billing takes them.
create index subscription_due_at on subscription (tenant_id, due_at, customer_id, plan_key) where due_at is not null;
create index subscription_customer on subscription (tenant_id, customer_id, id);
-- A customer is on a plan once at a time.
create unique index subscription_customer_plan_key
  on subscription (tenant_id, customer_id, plan_key) where due_at is not null;

alter table plan enable row level security;
alter table plan force row level security;
create policy tenant on plan
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table plan_version enable row level security;
alter table plan_version force row level security;
create policy tenant on plan_version
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table subscription enable row level security;
alter table subscription force row level security;
create policy tenant on subscription
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on plan to usageflow_app;
grant select on plan to usageflow_worker;
grant select, insert on plan_version to usageflow_app;
grant select on plan_version to usageflow_worker;
grant select, insert, update on subscription to usageflow_app, usageflow_worker;
