-- Secrets before that are in use no more are found, and deleted by a worker.
create index endpoint_former_secrets_until on endpoint (former_secrets_until) where former_secrets_until is not null;
grant update (former_secrets_until) on endpoint to usageflow_worker;
grant delete on endpoint_former_secret to usageflow_worker;
