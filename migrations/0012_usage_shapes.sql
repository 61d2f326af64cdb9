-- Usage by dimension, the latest amount, and levels over time.

-- Properties of events by which usage is told apart: filters and groups of prices and questions are over them.
alter table metric add column dimensions text[] not null default '{}';
alter table metric alter column dimensions drop default;
-- WEIGHTED_SUM: whether the level at the end of a span is that at the start of the next.
alter table metric add column carry_over boolean not null default false;
alter table metric alter column carry_over drop default;
alter table metric drop constraint metric_aggregation;
alter table metric add constraint metric_aggregation
  check (aggregation in ('SUM', 'COUNT', 'MAX', 'UNIQUE', 'LATEST', 'WEIGHTED_SUM'));
alter table metric add constraint metric_carry_over check (aggregation = 'WEIGHTED_SUM' or not carry_over);
grant update (dimensions, carry_over) on metric to usageflow_app;

-- One bucket for each combination of values, in the order in which the metric declares its dimensions; '' stands for a
-- property that the events do not have.
alter table usage_bucket add column dimensions text[] collate "C" not null default '{}';
alter table usage_bucket alter column dimensions drop default;
alter table usage_bucket drop constraint usage_bucket_pkey;
alter table usage_bucket
  add constraint usage_bucket_pkey primary key (tenant_id, customer_id, metric, hour, dimensions);
alter table usage_value add column dimensions text[] collate "C" not null default '{}';
alter table usage_value alter column dimensions drop default;
alter table usage_value drop constraint usage_value_pkey;
alter table usage_value
  add constraint usage_value_pkey primary key (tenant_id, customer_id, metric, hour, dimensions, value);

-- WEIGHTED_SUM: the sum of each change times the seconds from it to the end of the hour. Null for the other metrics.
alter table usage_bucket add column amount_seconds numeric;
-- LATEST: time, idempotency key and amount of the event latest in time, so that the largest of such arrays is the latest
-- event. Null for the other metrics.
alter table usage_bucket add column latest text[] collate "C";

-- A change of a level may be one downwards. Which metrics have levels is not this table's to know: events of the others
-- are checked before they come here.
alter table usage_event drop constraint usage_event_amount_not_negative;

-- Which combination of values a line bills, as the contract's map. Empty: the usage was not told apart.
alter table invoice_line add column dimensions jsonb not null default '{}';
alter table invoice_line alter column dimensions drop default;
