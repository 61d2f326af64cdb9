-- Spend thresholds: amounts of money at which it is told that a subscription's usage has reached them.

-- Decimals in the currency of the plan, growing.
alter table subscription add column spend_thresholds text[] not null default '{}';
alter table subscription alter column spend_thresholds drop default;

-- What was told: once for each period and threshold, by the primary key. No foreign key to the subscription: its check would
-- wait for whoever closes the period, who waits for the right to have thresholds checked.
create table spend_threshold_reached (
  tenant_id uuid not null,
  subscription_id uuid not null,
  period_start timestamptz not null,
  amount numeric not null,
  reached_at timestamptz not null, -- tenant time
  constraint spend_threshold_reached_pkey primary key (tenant_id, subscription_id, period_start, amount),
  constraint spend_threshold_reached_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);

alter table spend_threshold_reached enable row level security;
alter table spend_threshold_reached force row level security;
create policy tenant on spend_threshold_reached
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert on spend_threshold_reached to usageflow_worker;
-- A call that sets thresholds has them looked at.
grant select, insert, update (first_hour) on usage_news to usageflow_app;
