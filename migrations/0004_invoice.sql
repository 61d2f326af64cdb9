-- The bills.

-- One invoice: what it bills, and whether it is final. A draft has no lines here: they are worked out when it is read
-- and when it is finalized, so they are never stale.
create table invoice (
  tenant_id uuid not null,
  id uuid not null,
  subscription_id uuid not null,
  customer_id text collate "C" not null,
  plan_key text collate "C" not null,
  plan_version integer not null,
  kind text collate "C" not null,
  currency text not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  state text not null,
  created_at timestamptz not null,  -- tenant time
  finalize_at timestamptz not null, -- tenant time
  constraint invoice_pkey primary key (tenant_id, id),
  constraint invoice_subscription_fkey foreign key (tenant_id, subscription_id)
    references subscription (tenant_id, id),
  constraint invoice_kind check (kind in ('IN_ARREARS', 'IN_ADVANCE')),
  constraint invoice_state check (state in ('DRAFT', 'FINALIZED')),
  constraint invoice_period_order check (period_start < period_end),
  -- Whatever runs twice, or at the same time: a period is billed once.
  constraint invoice_period_key unique (tenant_id, subscription_id, kind, period_start)
);
create index invoice_draft on invoice (tenant_id, finalize_at, id) where state = 'DRAFT';
create index invoice_customer on invoice (tenant_id, customer_id, id);

-- The finalized document. Inserted and read, never changed: no role may update or delete it.
create table invoice_document (
  tenant_id uuid not null,
  invoice_id uuid not null,
  sequence bigint not null,
  number text collate "C" not null,
  total_minor bigint not null,
  usage_number bigint not null, -- the last usage fold that it counts
  finalized_at timestamptz not null, -- tenant time
  constraint invoice_document_pkey primary key (tenant_id, invoice_id),
  constraint invoice_document_invoice_fkey foreign key (tenant_id, invoice_id) references invoice (tenant_id, id),
  constraint invoice_document_sequence_key unique (tenant_id, sequence),
  constraint invoice_document_number_key unique (tenant_id, number)
);

-- Its lines, under the same rule.
create table invoice_line (
  tenant_id uuid not null,
  invoice_id uuid not null,
  position integer not null,
  price_key text collate "C" not null,
  metric text collate "C" not null,
  quantity numeric not null,
  amount_minor bigint not null,
  exact_amount numeric not null,
  description text not null,
  steps jsonb not null, -- the contract's InvoiceLineStep, as proto3 JSON
  constraint invoice_line_pkey primary key (tenant_id, invoice_id, position),
  constraint invoice_line_document_fkey foreign key (tenant_id, invoice_id)
    references invoice_document (tenant_id, invoice_id)
);

-- The tenant's last invoice number. Its lock makes numbers gapless: taken last, in the transaction that finalizes.
create table invoice_counter (
  tenant_id uuid not null,
  last_sequence bigint not null,
  constraint invoice_counter_pkey primary key (tenant_id)
);

alter table invoice enable row level security;
alter table invoice force row level security;
create policy tenant on invoice
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table invoice_document enable row level security;
alter table invoice_document force row level security;
create policy tenant on invoice_document
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table invoice_line enable row level security;
alter table invoice_line force row level security;
create policy tenant on invoice_line
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table invoice_counter enable row level security;
alter table invoice_counter force row level security;
create policy tenant on invoice_counter
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select on invoice, invoice_document, invoice_line to usageflow_app;
grant select, insert on invoice, invoice_document, invoice_line to usageflow_worker;
-- The state is the only thing about an invoice that ever changes.
grant update (state) on invoice to usageflow_worker;
grant select, insert, update on invoice_counter to usageflow_worker;
