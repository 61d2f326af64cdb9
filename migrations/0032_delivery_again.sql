-- Finding deliveries and events by what they are about, and sending them again.

-- Whom the event is about. Null: no single customer.
alter table outbox_event add column customer_id text collate "C";
alter table delivery
  add column event_type text collate "C",
  add column customer_id text collate "C",
  -- Attempts made before it was last sent again: the schedule counts from here.
  add column attempt_base integer not null default 0,
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

-- A call may send a delivery again, and one event to one endpoint.
grant insert on delivery to usageflow_app;
grant update (next_attempt_at, attempt_base) on delivery to usageflow_app;
grant update (last_sequence) on endpoint to usageflow_app;
