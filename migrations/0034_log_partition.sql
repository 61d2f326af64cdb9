-- The log in weeks: events, deliveries and attempts are partitioned by id. Ids begin with the time at which they were made
-- (UUIDv7), so a week is a range of them, and what is older than it is kept is dropped a week at a time, not row by row.
-- What does not fit a week is in the partition for the rest: rows that still waited when their week was dropped, and those
-- that were made when there was no partition for them.

-- Foreign keys to and from the log are gone: each would be checked, or made anew with every week, under locks on all weeks
-- or on the tables that all traffic uses. Rows of the log are written with, or after, what they refer to; tenants and
-- endpoints are never deleted; and who makes a delivery wait looks whether there is its event.
alter table outbox_pending drop constraint outbox_pending_event_fkey;
alter table outbox_event drop constraint outbox_event_tenant_fkey;
alter table delivery drop constraint delivery_event_fkey, drop constraint delivery_endpoint_fkey;

-- The least id that is made at a time.
create function log_boundary(at timestamptz) returns uuid
language sql immutable set search_path = public, pg_temp
as $$ select rpad(lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0'), 32, '0')::uuid $$;

-- A partition of its own shape: nobody has rights on it, so that it is reached through its table alone; should somebody be
-- given some, its rows are bound as the table's are.
create function make_log_partition(log text, part text, bounds text) returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
  execute format('create table %I (like %I including defaults including constraints including generated)', part, log);
  execute format('alter table %I enable row level security', part);
  execute format('alter table %I force row level security', part);
  execute format('create policy tenant on %I
    using (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', part);
  execute format('create policy worker on %I to usageflow_worker using (true)', part);
  if log = 'delivery' then
    -- What is unique over all weeks only fan-out's lock on the endpoint can hold, because a unique key of the table would
    -- have to have the id in it; within a week a key does.
    execute format('alter table %I set (fillfactor = 50)', part);
    execute format('create unique index %I on %I (tenant_id, event_id, endpoint_id)', part || '_event_endpoint_key', part);
    execute format('create unique index %I on %I (tenant_id, endpoint_id, sequence)', part || '_sequence_key', part);
  end if;
  execute format('alter table %I attach partition %I %s', log, part, bounds);
end
$$;
revoke all on function make_log_partition from public;

-- Makes the partition of a week, which begins on a Monday at midnight UTC; answers whether it was not there. The lock keeps
-- those who make one apart, and no traffic out; that for the rest is closed for an instant.
create function make_log_week(log text, week timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  part text := log || '_' || to_char(week at time zone 'UTC', 'YYYYMMDD');
begin
  if log not in ('outbox_event', 'delivery', 'delivery_attempt') then
    raise exception '% is no log', log;
  end if;
  if extract(epoch from week - '1970-01-05T00:00:00Z'::timestamptz)::bigint % 604800 <> 0
    or abs(extract(epoch from week - now())) > 400 * 86400 then
    raise exception '% begins no week of these times', week;
  end if;
  execute format('lock table only %I in share update exclusive mode', log);
  if to_regclass(part) is not null then
    return false;
  end if;
  perform make_log_partition(log, part, format('for values from (%L) to (%L)',
    log_boundary(week), log_boundary(week + interval '7 days')));
  return true;
end
$$;
revoke all on function make_log_week from public;
grant execute on function make_log_week to usageflow_worker;

-- Whether a table has a partition. Whatever a caller wants with one, it gets none that may be younger than a day.
create function has_old_log_partition(log text, part text) returns boolean
language plpgsql set search_path = public, pg_temp
as $$
declare
  until uuid;
begin
  if log not in ('outbox_event', 'delivery', 'delivery_attempt') then
    raise exception '% is no log', log;
  end if;
  select substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([0-9a-f-]{36})''\)$')::uuid into until
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = log::regclass and c.relname = part;
  if until > log_boundary(now() - interval '1 day') then
    raise exception '% is too young', part;
  end if;
  return until is not null;
end
$$;
revoke all on function has_old_log_partition from public;

-- Takes a partition out of its table, and lets the worker read it until the transaction has dropped it: what still waits in
-- it is moved meanwhile. Answers false when it is not there any more.
create function detach_log_partition(log text, part text) returns boolean
language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  execute format('lock table only %I in access exclusive mode', log);
  if not has_old_log_partition(log, part) then
    return false;
  end if;
  execute format('alter table %I detach partition %I', log, part);
  execute format('grant select on %I to usageflow_worker', part);
  return true;
end
$$;
revoke all on function detach_log_partition from public;
grant execute on function detach_log_partition to usageflow_worker;

-- Lets the worker purge a partition that has too much waiting to be taken out. Answers false when it is not there any more.
create function open_log_partition(log text, part text) returns boolean
language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  if not has_old_log_partition(log, part) then
    return false;
  end if;
  execute format('grant select, delete on %I to usageflow_worker', part);
  return true;
end
$$;
revoke all on function open_log_partition from public;
grant execute on function open_log_partition to usageflow_worker;

-- Drops a partition that was taken out.
create function drop_log_partition(part text) returns void
language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  if part !~ '^(outbox_event|delivery|delivery_attempt)_(first|\d{8})$'
    or exists (select from pg_inherits i where i.inhrelid = part::regclass) then
    raise exception '% is no partition that was taken out', part;
  end if;
  execute format('drop table %I', part);
end
$$;
revoke all on function drop_log_partition from public;
grant execute on function drop_log_partition to usageflow_worker;

-- The three tables become partitioned; what they hold becomes their first partition, up to the end of this week.
do $$
declare
  log text;
  was text;
  one record;
  latest uuid;
  until timestamptz := date_trunc('week', now() at time zone 'UTC') at time zone 'UTC' + interval '7 days';
begin
  foreach log in array array['outbox_event', 'delivery', 'delivery_attempt'] loop
    was := log || '_first';
    execute format('alter table %I rename to %I', log, was);
    for one in select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = was::regclass
    loop
      execute format('alter index %I rename to %I', one.relname, was || substr(one.relname, length(log) + 1));
    end loop;
    execute format('create table %I (like %I including defaults including constraints including generated) partition by range (%I)',
      log, was, case log when 'delivery_attempt' then 'delivery_id' else 'id' end);
    execute format('alter table %I enable row level security', log);
    execute format('alter table %I force row level security', log);
    execute format('create policy tenant on %I
      using (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', log);
    execute format('create policy worker on %I to usageflow_worker using (true)', log);
  end loop;
end
$$;

alter table outbox_event add constraint outbox_event_pkey primary key (tenant_id, id);
create index outbox_event_by_type on outbox_event (tenant_id, type, occurred_at, id);
create index outbox_event_by_customer on outbox_event (tenant_id, customer_id, type, occurred_at, id)
  where customer_id is not null;

alter table delivery add constraint delivery_pkey primary key (tenant_id, id);
create index delivery_by_type on delivery (tenant_id, event_type, created_at, id);
create index delivery_by_endpoint on delivery (tenant_id, endpoint_id, created_at, id);
create index delivery_by_customer on delivery (tenant_id, customer_id, created_at, id) where customer_id is not null;
create index delivery_failed on delivery (tenant_id, created_at, id) where failed;
create index delivery_refused on delivery (tenant_id, refused_class, created_at, id) where refused_class is not null;

alter table delivery_attempt add constraint delivery_attempt_pkey primary key (tenant_id, delivery_id, number);

grant select, insert on outbox_event to usageflow_app, usageflow_worker;
grant select, insert on delivery to usageflow_app;
grant update (state, completed_at, last_error) on delivery to usageflow_app;
grant select, insert, update on delivery to usageflow_worker;
grant select on delivery_attempt to usageflow_app;
grant select, insert on delivery_attempt to usageflow_worker;

do $$
declare
  log text;
  was text;
  week timestamptz := date_trunc('week', now() at time zone 'UTC') at time zone 'UTC';
  latest uuid;
begin
  -- The owner is bound by the policies too.
  alter table outbox_event_first no force row level security;
  alter table delivery_first no force row level security;
  alter table delivery_attempt_first no force row level security;
  select id into latest from (
    (select id from outbox_event_first order by id desc limit 1)
    union all (select id from delivery_first order by id desc limit 1)
    union all (select delivery_id from delivery_attempt_first order by delivery_id desc limit 1)
  ) as last (id) order by id desc limit 1;
  -- A clock that was ahead has made ids of later weeks.
  while latest >= log_boundary(week + interval '7 days') loop
    week := week + interval '7 days';
  end loop;
  foreach log in array array['outbox_event', 'delivery', 'delivery_attempt'] loop
    was := log || '_first';
    if latest is null then
      execute format('drop table %I', was);
    else
      execute format('alter table %I force row level security', was);
      execute format('revoke all on %I from usageflow_app, usageflow_worker', was);
      execute format('alter table %I attach partition %I for values from (minvalue) to (%L)',
        log, was, log_boundary(week + interval '7 days'));
    end if;
    perform make_log_partition(log, log || '_rest', 'default');
    for ahead in (case when latest is null then 0 else 1 end) .. 2 loop
      perform make_log_week(log, week + ahead * interval '7 days');
    end loop;
  end loop;
end
$$;

-- What is in the rest and over goes a little at a time.
grant select, delete on outbox_event_rest, delivery_rest, delivery_attempt_rest to usageflow_worker;
