-- What an invoice settles after its charges: credits.

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

alter table tenant_due drop constraint tenant_due_work;
alter table tenant_due add constraint tenant_due_work check (work in (
  'SUBSCRIBE_ARRIVALS', 'CLOSE_PERIODS', 'FINALIZE_INVOICES', 'BILL_LATE_USAGE', 'CHECK_THRESHOLDS', 'EXPIRE_CREDITS'
));
