-- What is measured, and what was reported.

create table metric (
  tenant_id uuid not null,
  key text collate "C" not null,
  name text not null,
  unit text not null,
  aggregation text not null,
  unique_property text not null,
  constraint metric_pkey primary key (tenant_id, key),
  constraint metric_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
  constraint metric_aggregation check (aggregation in ('SUM', 'COUNT', 'MAX', 'UNIQUE')),
  constraint metric_unique_property check ((aggregation = 'UNIQUE') = (unique_property <> ''))
);

-- Every event that was accepted, for ever. No foreign keys: a check per row would cost more than the insert, metrics
-- are never deleted, and customers are registered when the event is folded.
create table usage_event (
  tenant_id uuid not null,
  idempotency_key text collate "C" not null,
  metric text collate "C" not null,
  customer_id text collate "C" not null,
  amount numeric not null,
  occurred_at timestamptz not null,
  occurred_at_sent boolean not null, -- false: the time is the server's, and no part of the content
  properties jsonb not null,
  batch_id uuid not null,
  constraint usage_event_pkey primary key (tenant_id, idempotency_key),
  constraint usage_event_amount_not_negative check (amount >= 0)
);
create index usage_event_batch on usage_event (tenant_id, batch_id);

-- One row for each tenant in each ingest commit: its events wait to be folded into buckets. The row is the claim, and
-- goes when they are.
create table usage_batch (
  tenant_id uuid not null,
  id uuid not null,
  created_at timestamptz not null, -- process time
  constraint usage_batch_pkey primary key (tenant_id, id)
);

-- Which batches are in the buckets, in the order in which they were folded.
create table usage_fold (
  tenant_id uuid not null,
  batch_id uuid not null,
  number bigint not null,
  constraint usage_fold_pkey primary key (tenant_id, batch_id)
);

-- The number of the tenant's last fold. Its lock keeps folds of one tenant one after the other.
create table usage_progress (
  tenant_id uuid not null,
  last_number bigint not null,
  constraint usage_progress_pkey primary key (tenant_id)
);

-- What one customer used of one metric in one UTC hour.
create table usage_bucket (
  tenant_id uuid not null,
  customer_id text collate "C" not null,
  metric text collate "C" not null,
  hour timestamptz not null,
  event_count bigint not null,
  amount_sum numeric not null,
  amount_max numeric not null,
  constraint usage_bucket_pkey primary key (tenant_id, customer_id, metric, hour)
);

-- The different values of a UNIQUE metric in one UTC hour, so that a period's count is exact.
create table usage_value (
  tenant_id uuid not null,
  customer_id text collate "C" not null,
  metric text collate "C" not null,
  hour timestamptz not null,
  value text collate "C" not null,
  constraint usage_value_pkey primary key (tenant_id, customer_id, metric, hour, value)
);

alter table metric enable row level security;
alter table metric force row level security;
create policy tenant on metric
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table usage_event enable row level security;
alter table usage_event force row level security;
create policy tenant on usage_event
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy ingest on usage_event to usageflow_ingest using (true);

alter table usage_batch enable row level security;
alter table usage_batch force row level security;
create policy tenant on usage_batch
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy ingest on usage_batch to usageflow_ingest using (true);
create policy worker on usage_batch to usageflow_worker using (true);

alter table usage_fold enable row level security;
alter table usage_fold force row level security;
create policy tenant on usage_fold
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table usage_progress enable row level security;
alter table usage_progress force row level security;
create policy tenant on usage_progress
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table usage_bucket enable row level security;
alter table usage_bucket force row level security;
create policy tenant on usage_bucket
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table usage_value enable row level security;
alter table usage_value force row level security;
create policy tenant on usage_value
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert on metric to usageflow_app;
grant update (name, unit, aggregation, unique_property) on metric to usageflow_app;
grant select on metric to usageflow_worker;
grant select on usage_event, usage_batch, usage_fold, usage_progress, usage_bucket, usage_value to usageflow_app;
grant select on usage_event to usageflow_worker;
-- SELECT ... FOR UPDATE needs the right to update, though a claim is only ever deleted.
grant select, update, delete on usage_batch to usageflow_worker;
grant select, insert on usage_fold, usage_value to usageflow_worker;
grant select, insert, update on usage_progress, usage_bucket to usageflow_worker;
grant select, insert on usage_event to usageflow_ingest;
grant insert on usage_batch to usageflow_ingest;

-- Records events of any tenants in one statement, and answers each row in the order given: 'accepted', 'duplicate', or
-- 'conflict:' and the field that differs. The tenant of each row comes from an authenticated key, never from a request.
-- `batch` becomes the batch of what is accepted, one usage_batch row per tenant.
create function ingest_usage(
  tenants uuid[],
  keys text[],
  metrics text[],
  customers text[],
  amounts numeric[],
  times timestamptz[],
  times_sent boolean[],
  propertieses jsonb[],
  batch uuid,
  at timestamptz
) returns setof text
language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  sent integer := cardinality(tenants);
  stored_count integer;
begin
  -- Sorted, so that two commits never wait for each other. A row that another commit is just storing is waited for.
  with stored as (
    insert into usage_event
      (tenant_id, idempotency_key, metric, customer_id, amount, occurred_at, occurred_at_sent, properties, batch_id)
    select tenant, key, metric, customer, amount, at_time, sent_time, props, batch
    from unnest(tenants, keys, metrics, customers, amounts, times, times_sent, propertieses) with ordinality
      as row (tenant, key, metric, customer, amount, at_time, sent_time, props, place)
    order by tenant, key, place
    on conflict on constraint usage_event_pkey do nothing
    returning tenant_id
  ), batches as (
    insert into usage_batch (tenant_id, id, created_at) select distinct tenant_id, batch, at from stored
  )
  select count(*) into stored_count from stored;

  if stored_count = sent then
    return query select 'accepted'::text from generate_series(1, sent);
    return;
  end if;

  return query
  select case
    -- The first row with a key is the one that was stored, if the stored one is of this batch.
    when e.batch_id = batch and row.place = min(row.place) over (partition by row.tenant, row.key) then 'accepted'
    when e.metric <> row.metric then 'conflict:metric'
    when e.customer_id <> row.customer then 'conflict:customer_id'
    when e.amount <> row.amount then 'conflict:amount'
    when e.properties <> row.props then 'conflict:properties'
    when e.occurred_at_sent <> row.sent_time or (row.sent_time and e.occurred_at <> row.at_time)
      then 'conflict:occurred_at'
    else 'duplicate'
  end
  from unnest(tenants, keys, metrics, customers, amounts, times, times_sent, propertieses) with ordinality
    as row (tenant, key, metric, customer, amount, at_time, sent_time, props, place)
  join usage_event e on e.tenant_id = row.tenant and e.idempotency_key = row.key
  order by row.place;
end
$$;

grant create on schema public to usageflow_ingest;
alter function ingest_usage owner to usageflow_ingest;
revoke create on schema public from usageflow_ingest;
revoke all on function ingest_usage from public;
grant execute on function ingest_usage to usageflow_app;
