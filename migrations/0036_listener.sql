-- Watching: attempts in an order in which a reader misses none, and endpoints whose events go to a client that listens.

-- The transaction that made it. Times and ids become visible out of order; whatever is below the oldest transaction that is
-- still under way is complete, and nothing is added to it (tail-deliveries.ts).
alter table delivery_attempt add column xid xid8 not null default pg_current_xact_id();
create index delivery_attempt_by_xid on delivery_attempt (tenant_id, xid);

-- A listener is an endpoint without URL. Its deliveries are made and logged as any other's, and no worker claims them.
alter table endpoint
  add column listener_name text collate "C", -- null: no listener
  add constraint endpoint_listener check ((listener_name is null) = (url <> ''));
create unique index endpoint_listener_name on endpoint (tenant_id, listener_name)
  where listener_name is not null and deleted_at is null;

-- Who listens. Process time.
create table listener (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  client text not null,              -- as it calls itself
  token uuid not null,               -- made anew by each stream: one that was replaced notices
  held_until timestamptz not null,   -- prolonged while the stream lasts; the time at which it ended
  constraint listener_pkey primary key (tenant_id, endpoint_id),
  constraint listener_endpoint_fkey foreign key (tenant_id, endpoint_id) references endpoint (tenant_id, id)
);
alter table listener enable row level security;
alter table listener force row level security;
create policy tenant on listener
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on listener to usageflow_worker using (true);

grant select, insert, delete on listener to usageflow_app;
grant update (client, token, held_until) on listener to usageflow_app;
grant select, delete on listener to usageflow_worker;
grant update (deleted_at) on endpoint to usageflow_worker;

-- A call writes down what the client of a listener tells.
grant insert on delivery_attempt to usageflow_app;
grant update (attempt_count, last_status) on delivery to usageflow_app;
grant update (attempt_count, lease_until, lease_token) on delivery_due to usageflow_app;
