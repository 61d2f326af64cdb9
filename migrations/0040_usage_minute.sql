-- How much usage comes in: events by the minute in which they were accepted. A row a minute, whatever comes, and only the
-- last hours: the fold writes them and takes the old ones away.
create table usage_minute (
  tenant_id uuid not null,
  minute timestamptz not null, -- process time
  event_count bigint not null,
  constraint usage_minute_pkey primary key (tenant_id, minute)
);
alter table usage_minute enable row level security;
alter table usage_minute force row level security;
create policy tenant on usage_minute
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
grant select on usage_minute to usageflow_app;
grant select, insert, update, delete on usage_minute to usageflow_worker;

-- How many events a batch has: whoever stores them knows, and nobody has to count them. 0: it voids events.
alter table usage_batch add column event_count integer not null default 0;

-- As in 0002, but for the count.
create or replace function ingest_usage(
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
    insert into usage_batch (tenant_id, id, created_at, event_count)
    select tenant_id, batch, at, count(*) from stored group by tenant_id
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
