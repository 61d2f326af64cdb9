-- What a trace follows a usage event by: each row names the span that it was made in, in 24 bytes (trace id, span id). Null,
-- and no byte of the row, where nothing is traced.
alter table usage_batch add column trace bytea;
alter table usage_fold add column trace bytea;
alter table invoice add column trace bytea;
alter table outbox_event add column trace bytea;

-- As in 0040, but for the trace. A server of the version before calls it without one.
drop function ingest_usage(
  uuid[], text[], text[], text[], numeric[], timestamptz[], boolean[], jsonb[], uuid, timestamptz
);
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
  at timestamptz,
  trace_tenants uuid[] default '{}', -- tenants whose batch is traced,
  traces bytea[] default '{}'        -- and what it follows from
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
    insert into usage_batch (tenant_id, id, created_at, event_count, trace)
    select tenant_id, batch, at, count(*),
      (select carried.trace from unnest(trace_tenants, traces) as carried (tenant, trace) where carried.tenant = tenant_id)
    from stored group by tenant_id
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

-- How long the oldest transaction of this database has kept dead rows from being cleared away: a number, and nothing of whose
-- it is or what it does. The workers' login may not see the transactions of others; the owner of the schema may see its own,
-- and all of them as a member of pg_read_all_stats.
create function oldest_snapshot_seconds() returns double precision
language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)::double precision from pg_stat_activity
  where datname = current_database() and backend_xmin is not null and pid <> pg_backend_pid()
$$;
revoke all on function oldest_snapshot_seconds from public;
grant execute on function oldest_snapshot_seconds to usageflow_worker;
