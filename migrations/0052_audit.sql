-- Who changed what: a log that is only ever added to. Each entry carries a keyed hash of itself and of the one before, so
-- that the database alone cannot change, take out, move or slip in one unseen (audit-chain.ts).
--
-- A chain belongs to a tenant. No foreign key: a log outlives what it tells of.

-- The end of a chain. Its lock is the last that a transaction takes.
create table audit_head (
  tenant_id uuid not null,
  sequence bigint not null,
  hash bytea not null,
  constraint audit_head_pkey primary key (tenant_id),
  constraint audit_head_sequence_not_negative check (sequence >= 0)
);

create table audit_entry (
  tenant_id uuid not null,
  sequence bigint not null,              -- 1, 2, 3: without gaps, in the order of the changes
  recorded_at timestamptz not null,      -- process time
  action text collate "C" not null,      -- the method, such as VoidInvoice
  actor text collate "C" not null,       -- who; empty: nobody that is known
  key_id text collate "C" not null,      -- the key they came with
  address text not null,
  request_id text not null,
  subject text collate "C" not null,     -- what was changed
  refusal text not null,                 -- why it was refused; empty: it was done
  left_out_count bigint not null,        -- refusals before this one that have no entry
  detail text not null,                  -- request, before and after as JSON; text, so that each byte stays as it was hashed
  hash bytea not null,
  constraint audit_entry_pkey primary key (tenant_id, sequence),
  constraint audit_entry_sequence_positive check (sequence >= 1)
);
create index audit_entry_by_subject on audit_entry (tenant_id, subject, sequence);
create index audit_entry_by_time on audit_entry (tenant_id, recorded_at);

alter table audit_head enable row level security;
alter table audit_head force row level security;
create policy tenant on audit_head
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table audit_entry enable row level security;
alter table audit_entry force row level security;
create policy tenant on audit_entry
  using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert on audit_head to usageflow_app;
grant update (sequence, hash) on audit_head to usageflow_app;
grant select, insert on audit_entry to usageflow_app;
