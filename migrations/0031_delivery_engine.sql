-- What an attempt tells: where its time went, what kind of failure it was, what was answered, and who sent it.

alter table delivery_attempt
  add column resolve_us bigint,    -- null: no name was looked up
  add column connect_us bigint,    -- null: not reached, or a connection that was kept open
  add column first_byte_us bigint, -- null: no answer came
  add column error_kind text not null default '',
  add column response_headers jsonb not null default '{}',
  add column worker text not null default '',
  add constraint delivery_attempt_error_kind check (error_kind in (
    '', 'DNS', 'REFUSED_ADDRESS', 'CONNECT', 'TLS', 'TIMEOUT', 'RESET', 'TOO_LARGE', 'STATUS', 'REDIRECT', 'PROTOCOL'
  ));

-- An endpoint that failed for too long, or answered 410, gets nothing until somebody enables it again: its deliveries wait.
alter table endpoint
  add column disabled_at timestamptz,
  add column disabled_reason text not null default '',
  add constraint endpoint_disabled check ((disabled_at is null) = (disabled_reason = ''));
grant update (disabled_at, disabled_reason) on endpoint to usageflow_app, usageflow_worker;

-- Endpoints that fail: a row from the first failure to the next success. Those that work have none, and cost nothing.
create table endpoint_failure (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  failing_since timestamptz not null, -- process time, as all of delivery
  failure_count integer not null,     -- in a row
  rest_until timestamptz,             -- no attempts before: null: no rest
  constraint endpoint_failure_pkey primary key (tenant_id, endpoint_id),
  constraint endpoint_failure_endpoint_fkey foreign key (tenant_id, endpoint_id) references endpoint (tenant_id, id),
  constraint endpoint_failure_count check (failure_count > 0)
);
alter table endpoint_failure enable row level security;
alter table endpoint_failure force row level security;
create policy tenant on endpoint_failure
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on endpoint_failure to usageflow_worker using (true);
grant select, delete on endpoint_failure to usageflow_app;
grant select, insert, update, delete on endpoint_failure to usageflow_worker;

-- What an endpoint bears: null: no cap.
alter table endpoint
  add column max_per_second integer,
  add column max_in_flight integer,
  add constraint endpoint_max_per_second check (max_per_second > 0),
  add constraint endpoint_max_in_flight check (max_in_flight > 0);
grant update (max_per_second, max_in_flight) on endpoint to usageflow_app;

-- Of endpoints with a cap: whoever claims from one locks its row, so that the cap holds over all processes.
create table endpoint_pace (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  paid_until timestamptz not null, -- up to here the rate is used up
  constraint endpoint_pace_pkey primary key (tenant_id, endpoint_id),
  constraint endpoint_pace_endpoint_fkey foreign key (tenant_id, endpoint_id) references endpoint (tenant_id, id)
);
alter table endpoint_pace enable row level security;
alter table endpoint_pace force row level security;
create policy tenant on endpoint_pace
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on endpoint_pace to usageflow_worker using (true);
grant select, insert on endpoint_pace to usageflow_app;
grant select on endpoint_pace to usageflow_worker;
grant update (paid_until) on endpoint_pace to usageflow_worker;
