-- Taking data away, and having it forgotten.

-- Final invoices in the order in which they were made final: what an export of a span of time reads.
create index invoice_document_by_time on invoice_document (tenant_id, finalized_at, sequence);

-- Erasure of one customer's personal data. Its row is emptied in the call that asks for it; copies in what was stored for it
-- are found by a loop, a little at a time.

do $$
begin
  -- Owns the functions that take personal data out of what nobody else may change. Roles belong to the cluster.
  if not exists (select from pg_roles where rolname = 'usageflow_erasure') then
    create role usageflow_erasure nologin nosuperuser nobypassrls;
  end if;
  execute format('grant usageflow_erasure to %I', current_user);
end
$$;
grant usage on schema public to usageflow_erasure;

alter table customer
  add column erased_at timestamptz, -- process time; null: not since it was put
  add column erasing boolean not null default false;
grant update (erasing) on customer to usageflow_worker;

-- Erasures under way: the row is the claim, and what the functions below ask for, and goes when all is found.
create table customer_erasure (
  tenant_id uuid not null,
  customer_id text collate "C" not null,
  part text not null,
  after text not null,         -- the place in that part; empty: its beginning
  due_at timestamptz not null, -- process time
  constraint customer_erasure_pkey primary key (tenant_id, customer_id),
  constraint customer_erasure_customer_fkey foreign key (tenant_id, customer_id) references customer (tenant_id, id),
  constraint customer_erasure_part check (part in ('USAGE', 'EVENTS', 'ANSWERS', 'AUDIT'))
);
alter table customer_erasure enable row level security;
alter table customer_erasure force row level security;
create policy tenant on customer_erasure
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on customer_erasure to usageflow_worker using (true);
grant select, insert on customer_erasure to usageflow_app;
grant select, update (part, after, due_at), delete on customer_erasure to usageflow_worker;

-- An entry's hash is made of the digest of its detail, so that personal data can be taken out of that and the chain still
-- fits. Whoever takes it out signs what is left: nobody else can.
alter table audit_entry
  add column original_digest bytea, -- SHA-256 of the detail as it was written; null: it is as it was written
  add column erasure bytea,         -- keyed hash of what is left
  add constraint audit_entry_erasure check ((original_digest is null) = (erasure is null));
grant select on audit_entry to usageflow_worker;

-- Properties of a customer's events go, but for those that are kept.
create function erase_usage_properties(tenant uuid, customer text, keys text[], kept text[]) returns void
language sql security definer set search_path = public, pg_temp
as $$
  update usage_event set properties = (
    select coalesce(jsonb_object_agg(property.key, property.value), '{}')
    from jsonb_each(properties) as property where property.key = any(kept)
  )
  where tenant_id = tenant and idempotency_key = any(keys) and customer_id = customer
    and exists (select from customer_erasure asked where asked.tenant_id = tenant and asked.customer_id = customer);
$$;

-- What events about a customer tell is put in other words.
create function erase_event_data(tenant uuid, customer text, ids uuid[], texts text[]) returns void
language sql security definer set search_path = public, pg_temp
as $$
  update outbox_event set data = new.text
  from unnest(ids, texts) as new (id, text)
  where tenant_id = tenant and outbox_event.id = new.id and customer_id = customer
    and exists (select from customer_erasure asked where asked.tenant_id = tenant and asked.customer_id = customer);
$$;

-- What receivers answered to events about a customer goes.
create function erase_delivery_answers(tenant uuid, customer text, deliveries uuid[]) returns void
language sql security definer set search_path = public, pg_temp
as $$
  update delivery_attempt set response_body = '', response_headers = '{}'
  where tenant_id = tenant and delivery_id = any(deliveries)
    and exists (select from delivery
      where delivery.tenant_id = tenant and delivery.id = delivery_id and delivery.customer_id = customer)
    and exists (select from customer_erasure asked where asked.tenant_id = tenant and asked.customer_id = customer);
$$;

-- What an entry about a customer says is put in other words.
create function erase_audit_detail(tenant uuid, customer text, place bigint, words text, digest bytea, signature bytea)
returns void
language sql security definer set search_path = public, pg_temp
as $$
  update audit_entry set detail = words, original_digest = digest, erasure = signature
  where tenant_id = tenant and sequence = place and subject = customer
    and exists (select from customer_erasure asked where asked.tenant_id = tenant and asked.customer_id = customer);
$$;

grant select, update (properties) on usage_event to usageflow_erasure;
grant select, update (data) on outbox_event to usageflow_erasure;
grant select on delivery, customer_erasure to usageflow_erasure;
grant select, update (response_body, response_headers) on delivery_attempt to usageflow_erasure;
grant select, update (detail, original_digest, erasure) on audit_entry to usageflow_erasure;

do $$
declare
  door regprocedure;
begin
  grant create on schema public to usageflow_erasure;
  for door in select oid from pg_proc where pronamespace = 'public'::regnamespace and proname like 'erase\_%' loop
    execute format('alter function %s owner to usageflow_erasure', door);
    execute format('revoke all on function %s from public', door);
    execute format('grant execute on function %s to usageflow_worker', door);
  end loop;
  revoke create on schema public from usageflow_erasure;
end
$$;
