-- People: members of organizations, their access tokens, and row-level security for the control plane.
--
-- A call runs at a place: a tenant, or an organization for what is the organization's own. `app.tenant_id` is the one setting
-- that policies read: it holds the id of the place. So an organization has an audit chain, stored answers and page tokens as a
-- tenant has, in the same tables. The two kinds of id never meet: both are UUIDs.

-- Members, and those who are invited: an invite is a member who has not joined yet.
create table member (
  organization_id uuid not null,
  id uuid not null,                -- version 8: nobody takes it for an API key's (id.ts)
  email text collate "C" not null, -- in lower case
  name text not null default '',
  role text not null,
  invited_at timestamptz not null, -- process time, as all of a member's life
  invited_by uuid,                 -- the member who invited this one; null: the first owner
  invite_hash bytea,               -- as an API key's; kept when it was used, so that the same answer can be given again
  invite_pepper_id bytea,
  invite_expires_at timestamptz,
  joined_at timestamptz,           -- null: invited
  constraint member_pkey primary key (organization_id, id),
  constraint member_email_key unique (organization_id, email),
  constraint member_invite_hash_key unique (organization_id, invite_hash),
  constraint member_organization_fkey foreign key (organization_id) references organization (id),
  constraint member_role check (role in ('OWNER', 'ADMIN', 'DEVELOPER', 'BILLING', 'VIEWER')),
  constraint member_email_length check (char_length(email) between 3 and 254),
  constraint member_invite_whole check (
    (invite_hash is null) = (invite_expires_at is null) and (invite_hash is null) = (invite_pepper_id is null)
  ),
  constraint member_invited_or_joined check (joined_at is not null or invite_hash is not null)
);

create table access_token (
  organization_id uuid not null,
  id uuid not null,
  member_id uuid not null,
  name text not null,
  prefix text not null,
  hash bytea not null,             -- HMAC-SHA-256 of the whole token with the pepper, as an API key's
  pepper_id bytea not null,
  created_at timestamptz not null, -- process time
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_used_at timestamptz,        -- to the minute
  constraint access_token_pkey primary key (organization_id, id),
  constraint access_token_hash_key unique (organization_id, hash),
  constraint access_token_member_fkey foreign key (organization_id, member_id)
    references member (organization_id, id) on delete cascade,
  constraint access_token_pepper_id_length check (octet_length(pepper_id) = 4)
);
create index access_token_by_member on access_token (organization_id, member_id, id);

alter table member enable row level security;
alter table member force row level security;
create policy organization on member
  using (organization_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table access_token enable row level security;
alter table access_token force row level security;
create policy organization on access_token
  using (organization_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, delete on member to usageflow_app;
grant update (name, role, invited_at, invited_by, invite_hash, invite_pepper_id, invite_expires_at, joined_at)
  on member to usageflow_app;
grant select, insert on access_token to usageflow_app;
grant update (hash, pepper_id, last_used_at, revoked_at) on access_token to usageflow_app;

-- The control plane: a call sees the tenant and the organization that it is about. Not forced: the owner of the schema lists
-- them all. The workers' loops go over all tenants.
alter table tenant enable row level security;
create policy place on tenant to usageflow_app
  using (
    tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid
    or organization_id = nullif(current_setting('app.tenant_id', true), '')::uuid
  );
create policy worker on tenant to usageflow_worker using (true);

alter table organization enable row level security;
create policy place on organization to usageflow_app
  using (
    id = nullif(current_setting('app.tenant_id', true), '')::uuid
    or id = (select organization_id from tenant
      where tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
  )
  with check (id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy worker on organization for select to usageflow_worker using (true);

-- A call of the operator makes an organization and its tenants: its own place, and no other.
grant insert on organization, tenant to usageflow_app;
grant update (name) on organization to usageflow_app;

-- An organization has stored answers too.
alter table rpc_answer drop constraint rpc_answer_tenant_fkey;

-- Who asked for it may be a member.
alter table invoice_change drop constraint invoice_change_key_fkey;
alter table usage_void drop constraint usage_void_key_fkey;
alter table credit_note drop constraint credit_note_key_fkey;
