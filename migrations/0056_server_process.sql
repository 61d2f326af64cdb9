-- Which processes of the server there are, and how they do: for the operator's `usageflow status`. Each writes its row every few
-- seconds, and takes it away when it stops in order.
--
-- Control plane: it is of no tenant. The application's role, under which calls run, may not even read it.
create table server_process (
  id uuid not null,
  role text not null,
  version text not null,
  host text not null,
  pid integer not null,
  url text not null,                -- where its API listens; empty: it has none
  started_at timestamptz not null,  -- process time, as all here
  seen_at timestamptz not null,
  problems text[] not null,         -- why it is not ready; none: it is
  loops jsonb not null,             -- of each loop its name, failures in a row, and what failed last
  constraint server_process_pkey primary key (id),
  constraint server_process_role check (role in ('api', 'worker', 'all'))
);

alter table server_process enable row level security;
create policy worker on server_process to usageflow_worker using (true);

grant select, insert, update, delete on server_process to usageflow_worker;
