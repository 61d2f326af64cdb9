-- A paused endpoint gets nothing, and its deliveries wait.

alter table endpoint add column paused_at timestamptz; -- process time
grant update (paused_at) on endpoint to usageflow_app;
-- A claim reaches over all tenants, and leaves out what is paused.
create policy worker on endpoint for select to usageflow_worker using (true);
