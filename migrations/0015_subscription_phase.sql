-- What a subscription was on, and is: which plan version and how many seats, since when. And periods that are a part of a
-- full one, because a change cut them.

-- Inserted and read, never changed. A phase lasts until the next one begins, which may be at the same instant: what was
-- changed twice in one second. The last one goes on; of a subscription that was ended at once it has no seats.
create table subscription_phase (
  tenant_id uuid not null,
  subscription_id uuid not null,
  position integer not null, -- 1, 2, 3, ...
  start_at timestamptz not null,
  plan_key text collate "C" not null,
  plan_version integer not null,
  quantity integer not null, -- seats
  constraint subscription_phase_pkey primary key (tenant_id, subscription_id, position),
  constraint subscription_phase_subscription_fkey foreign key (tenant_id, subscription_id)
    references subscription (tenant_id, id),
  constraint subscription_phase_plan_version_fkey foreign key (tenant_id, plan_key, plan_version)
    references plan_version (tenant_id, plan_key, version),
  constraint subscription_phase_position check (position > 0),
  constraint subscription_phase_quantity check (quantity >= 0)
);

alter table subscription_phase enable row level security;
alter table subscription_phase force row level security;
create policy tenant on subscription_phase
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert on subscription_phase to usageflow_app, usageflow_worker;

alter table subscription
  add column quantity integer not null default 1, -- seats
  add column full_period_start timestamptz,       -- the full period of which the open one is a part, or all
  add column full_period_end timestamptz,
  add column next_plan_key text collate "C",      -- what it moves to when the open period ends; null: it stays
  add column next_plan_version integer,
  add column next_quantity integer;
alter table subscription alter column quantity drop default;

alter table invoice
  add column full_period_start timestamptz, -- as the subscription's
  add column full_period_end timestamptz;

-- The last phase of its subscription that the document counts, as usage_number is the last fold.
alter table invoice_document add column phase_number integer not null default 1;
alter table invoice_document alter column phase_number drop default;

-- What is there already. Short first periods were charged in full, and so they stay. The owner is under row-level security
-- too, and here reads and changes all tenants' rows.
alter table subscription no force row level security;
alter table subscription_phase no force row level security;
alter table invoice no force row level security;
update subscription set full_period_start = period_start, full_period_end = period_end;
update invoice set full_period_start = period_start, full_period_end = period_end;
insert into subscription_phase (tenant_id, subscription_id, position, start_at, plan_key, plan_version, quantity)
  select tenant_id, id, 1, started_at, plan_key, plan_version, 1 from subscription;
alter table subscription force row level security;
alter table subscription_phase force row level security;
alter table invoice force row level security;

alter table subscription
  alter column full_period_start set not null,
  alter column full_period_end set not null;
alter table subscription
  add constraint subscription_quantity check (quantity > 0),
  add constraint subscription_next_quantity check (next_quantity > 0),
  add constraint subscription_next_plan check ((next_plan_key is null) = (next_plan_version is null)),
  add constraint subscription_next_plan_version_fkey foreign key (tenant_id, next_plan_key, next_plan_version)
    references plan_version (tenant_id, plan_key, version),
  add constraint subscription_full_period check (full_period_start <= period_start and period_end <= full_period_end);

alter table invoice
  alter column full_period_start set not null,
  alter column full_period_end set not null;
alter table invoice
  add constraint invoice_full_period check (full_period_start <= period_start and period_end <= full_period_end);

-- A period is billed once under a plan version. Under two it may begin: what was invoiced in advance when it began, and then
-- moved to another plan in the same second, is invoiced in advance under that one too.
drop index invoice_period_key;
create unique index invoice_period_key
  on invoice (tenant_id, subscription_id, kind, period_start, plan_key, plan_version)
  where state <> 'VOID' and kind <> 'ADJUSTMENT';

-- A change at once makes invoices in the call.
grant insert on invoice to usageflow_app;
