-- Order: an endpoint may ask for the events of a customer one after the other.

alter table endpoint add column ordered boolean not null default false;
grant update (ordered) on endpoint to usageflow_app;

-- Those of a lane are sent one after the other, by their sequence: the first is due, the others wait at infinity until those
-- before them are over. Null: in no order. Of an ordered endpoint a customer is a lane, and so is a customer in a replay
-- (lane.ts).
alter table delivery_due add column lane text collate "C";
create index delivery_due_by_lane on delivery_due (tenant_id, endpoint_id, lane, sequence) where lane is not null;
grant update (lane) on delivery_due to usageflow_app;

-- Given up by hand. Few are: they are found without the others. As `failed`, it stays null for what is delivered.
alter table delivery
  drop constraint delivery_state,
  add constraint delivery_state check (state in ('PENDING', 'DELIVERED', 'FAILED', 'SKIPPED')),
  add column skipped boolean generated always as (nullif(state = 'SKIPPED', false)) stored;
create index delivery_skipped on delivery (tenant_id, created_at, id) where skipped;

-- Secrets before that are in use no more are found, and deleted by a worker.
create index endpoint_former_secrets_until on endpoint (former_secrets_until) where former_secrets_until is not null;
grant update (former_secrets_until) on endpoint to usageflow_worker;
grant delete on endpoint_former_secret to usageflow_worker;
