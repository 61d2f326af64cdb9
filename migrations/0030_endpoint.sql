-- Endpoints: pauses, secrets that are changed without a gap, signatures of two kinds, headers and notes of their owner.

alter table endpoint
  add column paused_at timestamptz,                       -- process time
  add column signature_kind text not null default 'V1',
  add column public_key bytea,                            -- of V1A: its secret is the private key
  add column former_secrets_until timestamptz,            -- process time; null: the secret was never changed with an overlap
  add column header_names text[] not null default '{}',   -- in small letters
  add column headers_sealed bytea,                        -- names and values as JSON: a value may be a password
  add column metadata jsonb not null default '{}',
  add constraint endpoint_signature_kind check (signature_kind in ('V1', 'V1A')),
  add constraint endpoint_public_key check ((signature_kind = 'V1A') = (public_key is not null)),
  add constraint endpoint_headers check ((headers_sealed is null) = (cardinality(header_names) = 0));

grant update (paused_at, secret_sealed, signature_kind, public_key, former_secrets_until, header_names, headers_sealed,
  metadata) on endpoint to usageflow_app;
-- A claim reaches over all tenants, and leaves out what is paused.
create policy worker on endpoint for select to usageflow_worker using (true);

-- Secrets that were an endpoint's before, and that messages are signed with beside its own until receivers know the new one.
create table endpoint_former_secret (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  id uuid not null,                  -- grows: the newest has the largest
  signature_kind text not null,
  secret_sealed bytea not null,      -- as it was in endpoint
  valid_until timestamptz not null,  -- process time
  constraint endpoint_former_secret_pkey primary key (tenant_id, endpoint_id, id),
  constraint endpoint_former_secret_endpoint_fkey foreign key (tenant_id, endpoint_id) references endpoint (tenant_id, id),
  constraint endpoint_former_secret_signature_kind check (signature_kind in ('V1', 'V1A'))
);

alter table endpoint_former_secret enable row level security;
alter table endpoint_former_secret force row level security;
create policy tenant on endpoint_former_secret
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, delete on endpoint_former_secret to usageflow_app;
grant update (valid_until) on endpoint_former_secret to usageflow_app;
grant select on endpoint_former_secret to usageflow_worker;
