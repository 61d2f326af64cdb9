-- What an attempt tells: where its time went, what kind of failure it was, what was answered, and who sent it.

alter table delivery_attempt
  add column resolve_us bigint,    -- null: no name was looked up
  add column connect_us bigint,    -- null: not reached, or a connection that was kept open
  add column first_byte_us bigint, -- null: no answer came
  add column error_kind text not null default '',
  add column response_headers jsonb not null default '{}',
  add column worker text not null default '',
  add constraint delivery_attempt_error_kind check (error_kind in (
    '', 'DNS', 'REFUSED_ADDRESS', 'CONNECT', 'TLS', 'TIMEOUT', 'RESET', 'TOO_LARGE', 'STATUS', 'REDIRECT', 'PROTOCOL'
  ));
