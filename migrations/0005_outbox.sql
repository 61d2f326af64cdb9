-- Business events, staged in the transaction of the change that they tell of.

create table outbox_event (
  tenant_id uuid not null,
  id uuid not null,
  type text collate "C" not null,
  occurred_at timestamptz not null, -- tenant time
  data text not null,               -- the contract's EventData as proto3 JSON: the very bytes that are sent
  constraint outbox_event_pkey primary key (tenant_id, id),
  constraint outbox_event_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);

-- Events that wait to be dispatched. The row is the claim, and goes when the deliveries are there.
create table outbox_pending (
  tenant_id uuid not null,
  event_id uuid not null,
  constraint outbox_pending_pkey primary key (tenant_id, event_id),
  constraint outbox_pending_event_fkey foreign key (tenant_id, event_id) references outbox_event (tenant_id, id)
);

alter table outbox_event enable row level security;
alter table outbox_event force row level security;
create policy tenant on outbox_event
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on outbox_event to usageflow_worker using (true);

alter table outbox_pending enable row level security;
alter table outbox_pending force row level security;
create policy tenant on outbox_pending
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on outbox_pending to usageflow_worker using (true);

grant select, insert on outbox_event to usageflow_app, usageflow_worker;
grant select, insert on outbox_pending to usageflow_app;
grant select, insert, update, delete on outbox_pending to usageflow_worker;
