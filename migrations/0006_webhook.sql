-- Who is told, and the log of telling them.

create table endpoint (
  tenant_id uuid not null,
  id uuid not null,
  url text not null,
  description text not null,
  event_types text[] not null,     -- empty: all
  secret_sealed bytea not null,
  last_sequence bigint not null default 0, -- of the deliveries made for it; its lock keeps them gapless
  created_at timestamptz not null, -- process time, as all of delivery
  deleted_at timestamptz,
  constraint endpoint_pkey primary key (tenant_id, id),
  constraint endpoint_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);

create table delivery (
  tenant_id uuid not null,
  id uuid not null,
  event_id uuid not null,
  endpoint_id uuid not null,
  sequence bigint not null,
  state text not null,
  attempt_count integer not null default 0,
  next_attempt_at timestamptz not null,
  lease_until timestamptz,
  lease_token uuid, -- made anew by each claim: a worker that lost its lease changes nothing
  last_status integer not null default 0,
  last_error text not null default '',
  created_at timestamptz not null,
  completed_at timestamptz,
  constraint delivery_pkey primary key (tenant_id, id),
  constraint delivery_event_fkey foreign key (tenant_id, event_id) references outbox_event (tenant_id, id),
  constraint delivery_endpoint_fkey foreign key (tenant_id, endpoint_id) references endpoint (tenant_id, id),
  constraint delivery_event_endpoint_key unique (tenant_id, event_id, endpoint_id),
  constraint delivery_endpoint_sequence_key unique (tenant_id, endpoint_id, sequence),
  constraint delivery_state check (state in ('PENDING', 'DELIVERED', 'FAILED')),
  constraint delivery_completed check ((state = 'PENDING') = (completed_at is null)),
  constraint delivery_lease check (
    (lease_until is null) = (lease_token is null) and (lease_token is null or state = 'PENDING')
  )
) with (fillfactor = 80); -- a delivery is updated twice: leave room for it on its page
create index delivery_due on delivery (next_attempt_at) where state = 'PENDING';

create table delivery_attempt (
  tenant_id uuid not null,
  delivery_id uuid not null,
  number integer not null,
  sent_at timestamptz not null,
  duration_us bigint not null,
  status integer not null, -- 0: there was no answer
  error text not null,
  response_body text not null,
  constraint delivery_attempt_pkey primary key (tenant_id, delivery_id, number),
  constraint delivery_attempt_delivery_fkey foreign key (tenant_id, delivery_id)
    references delivery (tenant_id, id)
);

alter table endpoint enable row level security;
alter table endpoint force row level security;
create policy tenant on endpoint
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table delivery enable row level security;
alter table delivery force row level security;
create policy tenant on delivery
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on delivery to usageflow_worker using (true);

alter table delivery_attempt enable row level security;
alter table delivery_attempt force row level security;
create policy tenant on delivery_attempt
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on delivery_attempt to usageflow_worker using (true);

grant select, insert on endpoint to usageflow_app;
grant update (url, description, event_types, deleted_at) on endpoint to usageflow_app;
grant select on endpoint to usageflow_worker;
grant update (last_sequence) on endpoint to usageflow_worker;
grant select on delivery, delivery_attempt to usageflow_app;
-- Deleting an endpoint gives up what waits for it.
grant update (state, completed_at, last_error, lease_until, lease_token) on delivery to usageflow_app;
grant select, insert, update on delivery to usageflow_worker;
grant select, insert on delivery_attempt to usageflow_worker;
