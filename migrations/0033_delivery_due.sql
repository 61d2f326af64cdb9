-- A small hot queue beside a cold log: `delivery_due` has what waits and nothing else, `delivery` what there ever was.

-- One row for each delivery that is PENDING. It goes when the delivery is over: both change in one statement.
-- No foreign keys: they would cost a look-up for each row of each batch.
create table delivery_due (
  tenant_id uuid not null,
  delivery_id uuid not null,
  endpoint_id uuid not null,
  event_id uuid not null,
  sequence bigint not null,
  created_at timestamptz not null,             -- of the delivery: lists of what waits are in its order
  attempt_count integer not null default 0,    -- as in the delivery
  -- Attempts made before it was last sent again: the schedule counts from here.
  attempt_base integer not null default 0,
  -- The replay that sent it again last, and that looks whether it was sent.
  replay_id uuid,
  next_attempt_at timestamptz not null,
  lease_until timestamptz,
  lease_token uuid, -- made anew by each claim: a worker that lost its lease changes nothing
  constraint delivery_due_pkey primary key (tenant_id, delivery_id),
  constraint delivery_due_attempt_base check (attempt_base between 0 and attempt_count),
  constraint delivery_due_lease check ((lease_until is null) = (lease_token is null))
) with (
  fillfactor = 50, -- a claim changes no index, and finds room for the row's next version on its page
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
  -- Its size says nothing: it is empty one moment and full the next.
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);

alter table delivery no force row level security;
insert into delivery_due (tenant_id, delivery_id, endpoint_id, event_id, sequence, created_at, attempt_count, attempt_base,
  replay_id, next_attempt_at, lease_until, lease_token)
select tenant_id, id, endpoint_id, event_id, sequence, created_at, attempt_count, attempt_base,
  replay_id, next_attempt_at, lease_until, lease_token
from delivery where state = 'PENDING';
alter table delivery force row level security;

-- Each endpoint gets its turn, however much another has waiting: steps from one to the next, and its first in order.
create index delivery_due_by_endpoint on delivery_due (tenant_id, endpoint_id, next_attempt_at, delivery_id);
create index delivery_due_by_created on delivery_due (tenant_id, created_at, delivery_id);
create index delivery_due_replayed on delivery_due (tenant_id, replay_id, next_attempt_at) where replay_id is not null;

alter table delivery_due enable row level security;
alter table delivery_due force row level security;
create policy tenant on delivery_due
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on delivery_due to usageflow_worker using (true);
-- A call may send a delivery again; deleting an endpoint takes away what waits for it.
grant select, insert, delete on delivery_due to usageflow_app;
grant update (next_attempt_at, replay_id) on delivery_due to usageflow_app;
grant select, insert, update, delete on delivery_due to usageflow_worker;

-- The log: its rows are inserted once, and updated once for each attempt. That update changes no index: no index may have in
-- its key or predicate what an attempt changes, and most deliveries are delivered at the first attempt, with a 2xx. Two
-- columns, null for those, find the others.
drop index delivery_endpoint_due, delivery_pending, delivery_failed, delivery_refused, delivery_replayed;
alter table delivery
  drop constraint delivery_lease,
  drop constraint delivery_attempt_base,
  drop column next_attempt_at,
  drop column lease_until,
  drop column lease_token,
  drop column attempt_base,
  drop column replay_id,
  add column failed boolean generated always as (nullif(state = 'FAILED', false)) stored,
  add column refused_class integer generated always as (
    case when attempt_count > 0 and last_status / 100 <> 2 then least(last_status / 100, 5) end
  ) stored,
  set (fillfactor = 50); -- a batch updates all rows of a page
create index delivery_failed on delivery (tenant_id, created_at, id) where failed;
create index delivery_refused on delivery (tenant_id, refused_class, created_at, id) where refused_class is not null;

-- Written by the one statement that holds the delivery: checking each row would cost more than writing it.
alter table delivery_attempt drop constraint delivery_attempt_delivery_fkey;

-- What was claimed last of an endpoint with a cap: those of them whose lease lasts are in flight. The queue need not be counted.
alter table endpoint_pace add column in_flight uuid[] not null default '{}';
grant update (in_flight) on endpoint_pace to usageflow_worker;
