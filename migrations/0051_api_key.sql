-- Limits of API keys, their last use, and what their hashes were made with.

alter table api_key
  add column pepper_id bytea,                     -- of the pepper in `hash`; null: made before peppers had ids, and not used since
  add column expires_at timestamptz,              -- null: never
  add column allowed_cidrs text[] not null default '{}', -- whence it may be used; none: from everywhere
  add column last_used_at timestamptz,            -- to the minute
  add column replaced_by uuid,                    -- the key that took its place
  add constraint api_key_pepper_id_length check (octet_length(pepper_id) = 4),
  add constraint api_key_replaced_by_fkey foreign key (tenant_id, replaced_by) references api_key (tenant_id, id);

-- A key is hashed anew with the pepper of today when it is used, so that older peppers can be put away.
grant update (hash, pepper_id, expires_at, last_used_at, replaced_by) on api_key to usageflow_app;
