-- What happens to an invoice once it stands, and the one door through which its state changes.
--
--   DRAFT -> FINALIZED -> PAID, VOID or UNCOLLECTIBLE;  UNCOLLECTIBLE -> PAID or VOID
--
-- The database refuses every other way, and every state that its history does not tell of:
--   * no role of the server may update an invoice or write its history; both may call change_invoice_state;
--   * that is one statement, owned by a role that may do nothing else: it moves the invoices that are in the old state,
--     whoever else is at it, and writes one entry for each that it moved;
--   * an entry is one of the allowed steps (a check), and a state is left once (the primary key).
-- Foreign keys alone do not do it. A state that refers to its entry can be turned back to an earlier one; and if the
-- entry holds the state in turn, the keys make a circle, which cannot be distributed.

do $$
begin
  -- Owns change_invoice_state, and may do nothing else. Roles belong to the cluster.
  if not exists (select from pg_roles where rolname = 'usageflow_invoice') then
    create role usageflow_invoice nologin nosuperuser nobypassrls;
  end if;
  execute format('grant usageflow_invoice to %I', current_user);
end
$$;
grant usage on schema public to usageflow_invoice;

alter table invoice drop constraint invoice_state;
alter table invoice
  add constraint invoice_state check (state in ('DRAFT', 'FINALIZED', 'PAID', 'VOID', 'UNCOLLECTIBLE'));

-- A period is billed once. A void invoice bills nothing, so it does not stand in the way of another one for its period;
-- but nothing makes that one by itself.
alter table invoice drop constraint invoice_period_key;
create unique index invoice_period_key on invoice (tenant_id, subscription_id, kind, period_start)
  where state <> 'VOID';

-- Every step of every invoice. Inserted and read, never changed. In the order of an invoice's life when it is sorted by
-- from_state: DRAFT, FINALIZED, UNCOLLECTIBLE.
create table invoice_change (
  tenant_id uuid not null,
  invoice_id uuid not null,
  from_state text collate "C" not null,
  to_state text collate "C" not null,
  changed_at timestamptz not null, -- tenant time
  key_id uuid,                     -- the API key that asked for it; null: the server's own doing
  note text not null,              -- reference of the payment, or the reason
  paid_at timestamptz,             -- tenant time
  constraint invoice_change_pkey primary key (tenant_id, invoice_id, from_state),
  constraint invoice_change_invoice_fkey foreign key (tenant_id, invoice_id) references invoice (tenant_id, id),
  constraint invoice_change_key_fkey foreign key (tenant_id, key_id) references api_key (tenant_id, id),
  constraint invoice_change_step check ((from_state, to_state) in (
    ('DRAFT', 'FINALIZED'),
    ('FINALIZED', 'PAID'),
    ('FINALIZED', 'VOID'),
    ('FINALIZED', 'UNCOLLECTIBLE'),
    ('UNCOLLECTIBLE', 'PAID'),
    ('UNCOLLECTIBLE', 'VOID')
  )),
  constraint invoice_change_paid check ((to_state = 'PAID') = (paid_at is not null))
);

-- Invoices that are final already. The owner is under row-level security too, and here reads all tenants' documents.
alter table invoice_document no force row level security;
insert into invoice_change (tenant_id, invoice_id, from_state, to_state, changed_at, note)
  select tenant_id, invoice_id, 'DRAFT', 'FINALIZED', finalized_at, '' from invoice_document;
alter table invoice_document force row level security;

alter table invoice_change enable row level security;
alter table invoice_change force row level security;
create policy tenant on invoice_change
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- Moves those of the invoices that are in old_state to new_state, and answers which.
create function change_invoice_state(
  tenant uuid,
  invoices uuid[],
  old_state text,
  new_state text,
  at timestamptz,
  by_key uuid,
  words text,
  paid timestamptz
) returns setof uuid
language sql security definer set search_path = public, pg_temp
as $$
  with moved as (
    update invoice set state = new_state
    where tenant_id = tenant and id = any(invoices) and state = old_state
    returning id
  )
  insert into invoice_change (tenant_id, invoice_id, from_state, to_state, changed_at, key_id, note, paid_at)
  select tenant, id, old_state, new_state, at, by_key, words, paid from moved
  returning invoice_id;
$$;

grant create on schema public to usageflow_invoice;
alter function change_invoice_state owner to usageflow_invoice;
revoke create on schema public from usageflow_invoice;
revoke all on function change_invoice_state from public;
grant execute on function change_invoice_state to usageflow_app, usageflow_worker;

revoke update (state) on invoice from usageflow_worker;
grant select, update (state) on invoice to usageflow_invoice;
grant select, insert on invoice_change to usageflow_invoice;
grant select on invoice_change to usageflow_app, usageflow_worker;

-- A call may finalize a draft before its time.
grant insert on invoice_document, invoice_line to usageflow_app;
grant select, insert, update on invoice_counter to usageflow_app;

-- What the tenant's invoice numbers begin with. No digit at its end: else INV-1 and 000042 were INV- and 1000042.
alter table tenant add column invoice_prefix text not null default 'INV-';
alter table tenant add constraint tenant_invoice_prefix check (invoice_prefix ~ '^[A-Za-z0-9-]{0,15}[A-Za-z-]$');
grant update (invoice_prefix) on tenant to usageflow_app;
