-- What an invoice settles after its charges: discounts, tax, credits.

-- Money that a customer has with the tenant, in one currency. What is left of it is drawn when invoices are finalized.
create table credit_grant (
  tenant_id uuid not null,
  id uuid not null,
  customer_id text collate "C" not null,
  currency text not null,
  source text collate "C" not null,
  priority integer not null,       -- lower ones are drawn first
  amount_minor bigint not null,
  remaining_minor bigint not null, -- the sum of its entries
  expires_at timestamptz,          -- tenant time; null: never
  note text not null,
  invoice_id uuid,                 -- the invoice that it comes from
  created_at timestamptz not null, -- tenant time
  revoked_at timestamptz,          -- tenant time
  constraint credit_grant_pkey primary key (tenant_id, id),
  constraint credit_grant_customer_fkey foreign key (tenant_id, customer_id) references customer (tenant_id, id),
  constraint credit_grant_invoice_fkey foreign key (tenant_id, invoice_id) references invoice (tenant_id, id),
  constraint credit_grant_source check (source in ('GRANTED', 'BOUGHT', 'INVOICE', 'CREDIT_NOTE')),
  constraint credit_grant_priority check (priority between 1 and 100),
  constraint credit_grant_amount check (amount_minor > 0),
  -- Whatever runs at the same time: no more is drawn than there is, and no more is given back than was drawn.
  constraint credit_grant_remaining check (remaining_minor between 0 and amount_minor)
);
create index credit_grant_customer on credit_grant (tenant_id, customer_id, id);
-- What can be drawn, and what can expire.
create index credit_grant_left on credit_grant (tenant_id, customer_id) where remaining_minor > 0;
create index credit_grant_expires_at on credit_grant (tenant_id, expires_at)
  where remaining_minor > 0 and expires_at is not null;
create index credit_grant_invoice on credit_grant (tenant_id, invoice_id) where invoice_id is not null;

-- Every movement of every grant. Inserted and read, never changed: no role may update or delete it.
create table credit_entry (
  tenant_id uuid not null,
  id uuid not null,
  grant_id uuid not null,
  customer_id text collate "C" not null,
  kind text collate "C" not null,
  amount_minor bigint not null, -- what it adds to the grant; negative: what it takes
  invoice_id uuid,              -- the invoice that drew it, or that was voided
  entered_at timestamptz not null, -- tenant time
  note text not null,
  constraint credit_entry_pkey primary key (tenant_id, id),
  constraint credit_entry_grant_fkey foreign key (tenant_id, grant_id) references credit_grant (tenant_id, id),
  constraint credit_entry_invoice_fkey foreign key (tenant_id, invoice_id) references invoice (tenant_id, id),
  constraint credit_entry_kind check (kind in ('GRANTED', 'DRAWN', 'RETURNED', 'EXPIRED', 'REVOKED')),
  constraint credit_entry_sign check (
    case when kind in ('GRANTED', 'RETURNED') then amount_minor > 0 else amount_minor < 0 end
  ),
  constraint credit_entry_of_invoice check (kind not in ('DRAWN', 'RETURNED') or invoice_id is not null)
);
create index credit_entry_grant on credit_entry (tenant_id, grant_id, id);
create index credit_entry_customer on credit_entry (tenant_id, customer_id, id);
create index credit_entry_invoice on credit_entry (tenant_id, invoice_id, id) where invoice_id is not null;

-- Discounts of a subscription. Their terms never change, only where they end.
create table discount (
  tenant_id uuid not null,
  id uuid not null,
  subscription_id uuid not null,
  name text not null,
  percent numeric,        -- of the charges, or
  amount_minor bigint,    -- so much of each period's, in
  currency text not null, -- that of the plan when it was made
  periods integer,        -- how many were promised; null: for ever
  starts_at timestamptz not null, -- invoices of periods that begin from here on, tenant time
  ends_at timestamptz,            -- and before this; null: for ever
  created_at timestamptz not null, -- tenant time
  constraint discount_pkey primary key (tenant_id, id),
  constraint discount_subscription_fkey foreign key (tenant_id, subscription_id) references subscription (tenant_id, id),
  constraint discount_value check ((percent is null) <> (amount_minor is null)),
  constraint discount_percent check (percent > 0 and percent <= 100),
  constraint discount_amount check (amount_minor > 0),
  constraint discount_periods check (periods > 0),
  constraint discount_order check (starts_at <= ends_at)
);
create index discount_subscription on discount (tenant_id, subscription_id, id);

-- The contract's TaxRate, as proto3 JSON.
alter table customer add column tax_rates jsonb not null default '[]';

-- The terms that a final invoice was settled under: they are its own from then on.
alter table invoice_document
  add column discounts jsonb not null default '[]', -- in the order in which they came: see server/invoice/terms.ts
  add column taxes jsonb not null default '[]',     -- the contract's InvoiceTax, as proto3 JSON
  -- What an invoice owes the customer is granted as credit.
  add constraint invoice_document_total check (total_minor >= 0);
alter table invoice_document alter column discounts drop default, alter column taxes drop default;

-- The discount that a line takes off. What is used of a discount is the sum of its lines.
alter table invoice_line
  add column discount_id uuid,
  add constraint invoice_line_discount_fkey foreign key (tenant_id, discount_id) references discount (tenant_id, id),
  add constraint invoice_line_of_discount check ((kind = 'DISCOUNT') = (discount_id is not null));
create index invoice_line_discount on invoice_line (tenant_id, discount_id) where discount_id is not null;

alter table discount enable row level security;
alter table discount force row level security;
create policy tenant on discount
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update (ends_at) on discount to usageflow_app;
grant select on discount to usageflow_worker;

alter table credit_grant enable row level security;
alter table credit_grant force row level security;
create policy tenant on credit_grant
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table credit_entry enable row level security;
alter table credit_entry force row level security;
create policy tenant on credit_entry
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- Both finalize invoices, which draws credits and grants them; calls revoke what is left.
grant select, insert on credit_grant, credit_entry to usageflow_app, usageflow_worker;
grant update (remaining_minor) on credit_grant to usageflow_app, usageflow_worker;
grant update (revoked_at) on credit_grant to usageflow_app;
