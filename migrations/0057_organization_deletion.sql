-- Deletion of an organization: asked for by its owner, done by a loop when the waiting time is over.

alter table organization add column delete_after timestamptz; -- process time; null: it stays
grant update (delete_after) on organization to usageflow_app;

-- Deletes rows of a tenant from one table, at most so many, and answers how many. As the owner of the schema, for no other
-- role may delete what is final; and of no tenant but one whose organization's time has come. By its key, in steps that each
-- look at what they delete and no more: a plan that reads the whole table is none.
create function delete_tenant_rows(leaving uuid, part text, most integer, at timestamptz) returns integer
language plpgsql security definer
set search_path = public, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  keys text;
  gone integer;
begin
  if not exists (
    select from tenant t join organization o on o.id = t.organization_id
    where t.tenant_id = leaving and o.delete_after <= at
  ) then
    raise exception 'tenant % is not to be deleted', leaving;
  end if;
  select string_agg(format('%I', a.attname), ', ' order by k.place) into keys
  from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary
  cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
  join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
  where c.relnamespace = 'public'::regnamespace and c.relname = part and c.relkind in ('r', 'p') and not c.relispartition;
  if keys is null or split_part(keys, ', ', 1) <> 'tenant_id' then
    raise exception '% is no table of tenants', part;
  end if;
  execute format('delete from %1$I where (%2$s) in (
    select %2$s from %1$I where tenant_id = $1 order by %2$s limit $2)', part, keys) using leaving, most;
  get diagnostics gone = row_count;
  return gone;
end
$$;
revoke all on function delete_tenant_rows from public;
grant execute on function delete_tenant_rows to usageflow_worker;

-- Stands in the way of whoever would still write for a tenant whose rows go.
create function hold_leaving_tenant(leaving uuid, at timestamptz) returns boolean
language sql security definer set search_path = public, pg_temp
as $$
  select true from tenant t join organization o on o.id = t.organization_id
  where t.tenant_id = leaving and o.delete_after <= at for update of t;
$$;
revoke all on function hold_leaving_tenant from public;
grant execute on function hold_leaving_tenant to usageflow_worker;

-- Deletes an organization that has no tenants any more, its members and their tokens. Its audit log stays. Answers whether it
-- did: the second of two who try does not.
create function delete_organization(leaving uuid, at timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform from organization where id = leaving and delete_after <= at for update;
  if not found or exists (select from tenant where organization_id = leaving) then
    return false;
  end if;
  delete from rpc_answer where tenant_id = leaving;
  delete from access_token where organization_id = leaving;
  delete from member where organization_id = leaving;
  delete from organization where id = leaving;
  return true;
end
$$;
revoke all on function delete_organization from public;
grant execute on function delete_organization to usageflow_app;
