-- Periods of other lengths, counted from a day of their own, in a time zone; and trials.

-- The zone that subscriptions starting from now on count their periods in: an IANA name.
alter table tenant add column time_zone text not null default 'UTC';

-- A subscription keeps the zone that it began with: another one would tear its periods.
alter table subscription
  add column time_zone text not null default 'UTC',
  add column anchor timestamptz,        -- what anniversary periods are counted from; null: calendar periods
  add column trial_ends_at timestamptz; -- nothing before it is charged; null: there was no trial
alter table subscription alter column time_zone drop default;
alter table subscription add constraint subscription_trial_order check (trial_ends_at >= started_at);

grant update (time_zone) on tenant to usageflow_app;
