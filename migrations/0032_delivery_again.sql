-- Finding deliveries and events by what they are about, and sending them again.

-- Whom the event is about. Null: no single customer.
alter table outbox_event add column customer_id text collate "C";
alter table delivery
  add column event_type text collate "C",
  add column customer_id text collate "C",
  -- Attempts made before it was last sent again: the schedule counts from here.
  add column attempt_base integer not null default 0,
  -- The replay that sent it again last, and that looks whether it was sent.
  add column replay_id uuid,
  add constraint delivery_attempt_base check (attempt_base between 0 and attempt_count);

alter table outbox_event no force row level security;
alter table delivery no force row level security;
update outbox_event set customer_id = coalesce(
  data::jsonb #>> '{invoice,customerId}', data::jsonb #>> '{subscription,customerId}',
  data::jsonb #>> '{creditGrant,customerId}', data::jsonb #>> '{customer,id}',
  data::jsonb #>> '{creditNote,customerId}', data::jsonb #>> '{threshold,customerId}');
update delivery set event_type = event.type, customer_id = event.customer_id
from outbox_event event where event.tenant_id = delivery.tenant_id and event.id = delivery.event_id;
alter table outbox_event force row level security;
alter table delivery force row level security;
alter table delivery alter column event_type set not null;

-- A list is the newest of each type, merged: types are few, and so these serve lists of all types too.
create index outbox_event_by_type on outbox_event (tenant_id, type, occurred_at, id);
create index outbox_event_by_customer on outbox_event (tenant_id, customer_id, type, occurred_at, id)
  where customer_id is not null;
create index delivery_by_type on delivery (tenant_id, event_type, created_at, id);
create index delivery_by_endpoint on delivery (tenant_id, endpoint_id, created_at, id);
create index delivery_by_customer on delivery (tenant_id, customer_id, created_at, id) where customer_id is not null;
-- Most deliveries are delivered, with a 2xx: those that are not are found without them, and they cost nothing here.
create index delivery_pending on delivery (tenant_id, created_at, id) where state = 'PENDING';
create index delivery_failed on delivery (tenant_id, created_at, id) where state = 'FAILED';
create index delivery_refused on delivery (tenant_id, (least(last_status / 100, 5)), created_at, id)
  where attempt_count > 0 and last_status / 100 <> 2;
create index delivery_replayed on delivery (tenant_id, replay_id, next_attempt_at)
  where state = 'PENDING' and replay_id is not null;

-- A call may send a delivery again, and one event to one endpoint.
grant insert on delivery to usageflow_app;
grant update (next_attempt_at, attempt_base, replay_id) on delivery to usageflow_app;
grant update (last_sequence) on endpoint to usageflow_app;

-- Deliveries of an endpoint that are sent again, many at a time: the job and how far it is. Process time.
create table replay (
  tenant_id uuid not null,
  id uuid not null,
  endpoint_id uuid not null,
  event_types text[] not null,     -- as they were asked for; empty: all
  delivery_states text[] not null, -- those that a delivery must be in when its turn comes
  start_at timestamptz,            -- of the time at which deliveries were made; null: the first
  end_at timestamptz not null,
  state text not null,
  total_count bigint not null,     -- counted when it was made
  done_count bigint not null default 0,
  batch_size integer not null,     -- how many may wait to be sent: grows while they are sent quickly
  after_created_at timestamptz,    -- the place up to which it has looked
  after_id uuid,
  created_at timestamptz not null,
  completed_at timestamptz,
  constraint replay_pkey primary key (tenant_id, id),
  constraint replay_endpoint_fkey foreign key (tenant_id, endpoint_id) references endpoint (tenant_id, id),
  constraint replay_state check (state in ('RUNNING', 'COMPLETED', 'CANCELLED')),
  constraint replay_completed check ((state = 'RUNNING') = (completed_at is null)),
  constraint replay_place check ((after_created_at is null) = (after_id is null)),
  constraint replay_counts check (total_count >= 0 and done_count >= 0 and batch_size > 0)
);
create index replay_running on replay (tenant_id, id) where state = 'RUNNING';

alter table replay enable row level security;
alter table replay force row level security;
create policy tenant on replay
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on replay for select to usageflow_worker using (true);

grant select, insert on replay to usageflow_app;
grant update (state, completed_at) on replay to usageflow_app;
grant select on replay to usageflow_worker;
grant update (state, completed_at, done_count, batch_size, after_created_at, after_id) on replay to usageflow_worker;
