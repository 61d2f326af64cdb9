-- With which master keys and peppers this installation was ever used, by their ids: a server that has none of them is not started,
-- for it could open nothing, would know no API key, and would sign the audit log with a key that nobody else has.
--
-- Control plane: it is of no tenant. Nothing in it is secret: an id is derived from its key, and does not lead back.
create table used_key (
  kind text not null,
  key_id bytea not null,
  noted_at timestamptz not null, -- process time
  constraint used_key_pkey primary key (kind, key_id),
  constraint used_key_kind check (kind in ('master key', 'pepper')),
  constraint used_key_length check (length(key_id) = 4)
);

alter table used_key enable row level security;
create policy app on used_key to usageflow_app using (true);

grant select, insert on used_key to usageflow_app;

-- What was used so far. Tenant by tenant, as row-level security shows it to the owner: to switch that off would take locks that
-- hold up all calls while logs are read.
do $$
declare
  place uuid;
begin
  for place in select tenant_id from tenant union all select id from organization loop
    perform set_config('app.tenant_id', place::text, true);
    insert into used_key
    select distinct kind, substring(key_id from 1 for 4), now() from (
      select 'master key' as kind, substring(secret_sealed from 2) as key_id from endpoint where tenant_id = place
      union all
      select 'master key', substring(headers_sealed from 2) from endpoint where tenant_id = place
      union all
      select 'master key', substring(secret_sealed from 2) from endpoint_former_secret where tenant_id = place
      union all
      select 'master key', substring(answer from 2) from rpc_answer where tenant_id = place
      union all
      select 'master key', hash from audit_entry where tenant_id = place
      union all
      select 'pepper', pepper_id from api_key where tenant_id = place
      union all
      select 'pepper', pepper_id from access_token where organization_id = place
      union all
      select 'pepper', invite_pepper_id from member where organization_id = place
    ) as used
    where length(key_id) >= 4
    on conflict on constraint used_key_pkey do nothing;
  end loop;
  perform set_config('app.tenant_id', '', true);
end
$$;
