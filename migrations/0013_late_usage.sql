-- Usage that comes, or is voided, after the invoice of its period was final: who hears of it, and what is billed again.

-- Usage that was taken back. Inserted and read, never changed. Each is of a batch, which a fold claims and numbers as it
-- does one of events: an event counts up to a fold that is not before its own, and before that of its void.
create table usage_void (
  tenant_id uuid not null,
  idempotency_key text collate "C" not null, -- the event's
  batch_id uuid not null,
  reason text not null,
  voided_at timestamptz not null, -- tenant time
  key_id uuid not null,           -- the API key that asked for it
  constraint usage_void_pkey primary key (tenant_id, idempotency_key),
  constraint usage_void_event_fkey foreign key (tenant_id, idempotency_key)
    references usage_event (tenant_id, idempotency_key),
  constraint usage_void_key_fkey foreign key (tenant_id, key_id) references api_key (tenant_id, id)
);
create index usage_void_batch on usage_void (tenant_id, batch_id);

-- Who wants to hear of a customer's usage, from before which time. A fold reads it under the lock of usage_progress.
create table usage_watch (
  tenant_id uuid not null,
  customer_id text collate "C" not null,
  watcher text collate "C" not null,
  until timestamptz not null, -- LATE_USAGE: the end of the customer's last final period
  constraint usage_watch_pkey primary key (tenant_id, customer_id, watcher),
  constraint usage_watch_watcher check (watcher in ('LATE_USAGE', 'THRESHOLDS'))
);

-- What a watcher has not looked at yet: the customer's usage of this hour or later ones changed.
create table usage_news (
  tenant_id uuid not null,
  watcher text collate "C" not null,
  customer_id text collate "C" not null,
  first_hour timestamptz not null,
  constraint usage_news_pkey primary key (tenant_id, watcher, customer_id),
  constraint usage_news_watcher check (watcher in ('LATE_USAGE', 'THRESHOLDS'))
);

-- Final invoices whose periods are priced again: the difference is a line of their subscription's next invoice, and the row
-- goes when that is final. Who inserts holds the due row FINALIZE_INVOICES, so that no finalization takes a row away that
-- came, or came again, after it looked.
create table invoice_rerating (
  tenant_id uuid not null,
  invoice_id uuid not null,
  subscription_id uuid not null, -- the invoice's: so that its drafts find what waits for them, however much waits for others
  constraint invoice_rerating_pkey primary key (tenant_id, invoice_id),
  constraint invoice_rerating_document_fkey foreign key (tenant_id, invoice_id)
    references invoice_document (tenant_id, invoice_id)
);
create index invoice_rerating_subscription on invoice_rerating (tenant_id, subscription_id);

alter table usage_void enable row level security;
alter table usage_void force row level security;
create policy tenant on usage_void
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table usage_watch enable row level security;
create policy tenant on usage_watch
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table usage_news enable row level security;
create policy tenant on usage_news
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table invoice_rerating enable row level security;
alter table invoice_rerating force row level security;
create policy tenant on invoice_rerating
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert on usage_void to usageflow_app;
grant select on usage_void to usageflow_worker;
-- A call that voids usage leaves a batch to be folded.
grant insert on usage_batch to usageflow_app;
-- What is left of an hour's values is written anew.
grant delete on usage_value to usageflow_worker;
grant select, insert, update (until) on usage_watch to usageflow_app, usageflow_worker;
grant select, insert, update (first_hour), delete on usage_news to usageflow_worker;
grant select, insert, delete on invoice_rerating to usageflow_app, usageflow_worker;
-- A call that finalizes takes the lock; it has no right to count on.
grant insert, update (tenant_id) on usage_progress to usageflow_app;

alter table tenant_due drop constraint tenant_due_work;
alter table tenant_due add constraint tenant_due_work check (work in (
  'SUBSCRIBE_ARRIVALS', 'CLOSE_PERIODS', 'FINALIZE_INVOICES', 'BILL_LATE_USAGE', 'CHECK_THRESHOLDS', 'EXPIRE_CREDITS'
));

-- An invoice of its own for differences, where the subscription makes none any more. There may be many, one after the
-- other; a draft of it is one.
alter table invoice drop constraint invoice_kind;
alter table invoice add constraint invoice_kind check (kind in ('IN_ARREARS', 'IN_ADVANCE', 'ADJUSTMENT'));
drop index invoice_period_key;
create unique index invoice_period_key on invoice (tenant_id, subscription_id, kind, period_start)
  where state <> 'VOID' and kind <> 'ADJUSTMENT';
create unique index invoice_adjustment_key on invoice (tenant_id, subscription_id)
  where state = 'DRAFT' and kind = 'ADJUSTMENT';

-- The invoice whose period a line prices again.
alter table invoice_line add column adjusted_invoice_id uuid;
alter table invoice_line add constraint invoice_line_adjusted_fkey
  foreign key (tenant_id, adjusted_invoice_id) references invoice_document (tenant_id, invoice_id);
alter table invoice_line add constraint invoice_line_adjusted
  check ((kind in ('LATE_USAGE', 'PRORATION')) = (adjusted_invoice_id is not null));
create index invoice_line_adjusted on invoice_line (tenant_id, adjusted_invoice_id) where adjusted_invoice_id is not null;

-- Invoices that are final already: their customers are watched from now on, and looked at once for what came late before.
-- The owner is under row-level security too, and here reads and writes rows of all tenants.
alter table invoice no force row level security;
alter table tenant_due no force row level security;
insert into usage_watch (tenant_id, customer_id, watcher, until)
  select tenant_id, customer_id, 'LATE_USAGE', max(period_end) from invoice
  where kind = 'IN_ARREARS' and state <> 'DRAFT' group by tenant_id, customer_id;
insert into usage_news (tenant_id, watcher, customer_id, first_hour)
  select tenant_id, 'LATE_USAGE', customer_id, min(period_start) from invoice
  where kind = 'IN_ARREARS' and state <> 'DRAFT' group by tenant_id, customer_id;
insert into tenant_due (tenant_id, work, due_at) select distinct tenant_id, 'BILL_LATE_USAGE', 'epoch'::timestamptz from usage_news;
alter table invoice force row level security;
alter table tenant_due force row level security;
alter table usage_watch force row level security;
alter table usage_news force row level security;
