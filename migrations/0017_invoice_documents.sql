-- What an invoice says besides what it bills: who sells, who buys, when it is due; and what was taken back of it later.

-- The contract's Party and Billing, as proto3 JSON.
alter table tenant add column seller jsonb not null default '{}';
alter table tenant add column payment_terms_days integer not null default 30;
alter table tenant add column memo text not null default '';
alter table tenant add constraint tenant_payment_terms check (payment_terms_days between 0 and 365);
grant update (seller, payment_terms_days, memo) on tenant to usageflow_app;

alter table customer add column billing jsonb not null default '{}';

-- Frozen with the document: no role may update it. Documents that are there already say nothing of it.
alter table invoice_document add column seller jsonb not null default '{}';
alter table invoice_document add column buyer jsonb not null default '{}';
alter table invoice_document add column purchase_order text not null default '';
alter table invoice_document add column due_at timestamptz; -- tenant time; null: from before there were payment terms
alter table invoice_document add column memo text not null default '';

-- A document that takes an invoice back, wholly or in part. Inserted and read, never changed: no role may update or delete
-- it. The notes of an invoice take from what it was settled with one after the other: `before_minor` is where one begins.
create table credit_note (
  tenant_id uuid not null,
  id uuid not null,
  invoice_id uuid not null,
  customer_id text collate "C" not null,
  sequence bigint not null,
  number text collate "C" not null,
  value_minor bigint not null,  -- what the invoice was settled with: its total, and the credit that it drew
  before_minor bigint not null, -- what the notes before this one took back
  amount_minor bigint not null, -- what this one takes back, tax included
  tax_minor bigint not null,
  due_reduced_minor bigint not null,
  credited_minor bigint not null,
  refunded_minor bigint not null,
  settlement text collate "C" not null,
  lines jsonb not null, -- the contract's CreditNoteLine, as proto3 JSON
  reason text not null,
  created_at timestamptz not null, -- tenant time
  key_id uuid not null,
  constraint credit_note_pkey primary key (tenant_id, id),
  constraint credit_note_document_fkey foreign key (tenant_id, invoice_id)
    references invoice_document (tenant_id, invoice_id),
  constraint credit_note_key_fkey foreign key (tenant_id, key_id) references api_key (tenant_id, id),
  constraint credit_note_sequence_key unique (tenant_id, sequence),
  constraint credit_note_number_key unique (tenant_id, number),
  -- Whatever runs at the same time: no two notes take the same money, and no more is taken than there is.
  constraint credit_note_before_key unique (tenant_id, invoice_id, before_minor),
  constraint credit_note_within check (amount_minor > 0 and before_minor >= 0 and before_minor + amount_minor <= value_minor),
  constraint credit_note_settled check (
    due_reduced_minor >= 0 and credited_minor >= 0 and refunded_minor >= 0
    and due_reduced_minor + credited_minor + refunded_minor = amount_minor
  ),
  constraint credit_note_settlement check (settlement in ('CREDIT', 'REFUND'))
);
create index credit_note_customer on credit_note (tenant_id, customer_id, id);

-- The tenant's last credit note number. Its lock makes numbers gapless: taken last, in the transaction that makes the note.
create table credit_note_counter (
  tenant_id uuid not null,
  last_sequence bigint not null,
  constraint credit_note_counter_pkey primary key (tenant_id)
);

alter table credit_note enable row level security;
alter table credit_note force row level security;
create policy tenant on credit_note
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table credit_note_counter enable row level security;
alter table credit_note_counter force row level security;
create policy tenant on credit_note_counter
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert on credit_note to usageflow_app;
grant select, insert, update (last_sequence) on credit_note_counter to usageflow_app;

-- Holds an invoice until the transaction ends, and answers its state: it can neither be paid nor voided while a note takes
-- from it. Only the role that may change the state may lock the row.
create function hold_invoice(tenant uuid, held uuid) returns text
language sql security definer set search_path = public, pg_temp
as $$
  select state from invoice where tenant_id = tenant and id = held for update;
$$;
grant create on schema public to usageflow_invoice;
alter function hold_invoice owner to usageflow_invoice;
revoke create on schema public from usageflow_invoice;
revoke all on function hold_invoice from public;
grant execute on function hold_invoice to usageflow_app;
