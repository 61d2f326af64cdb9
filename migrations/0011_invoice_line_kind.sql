-- What a line bills: a price of the plan, or something that comes on top of those.

alter table invoice_line add column kind text collate "C" not null default 'PRICE';
alter table invoice_line alter column kind drop default;

-- Lines that are there already. The owner is under row-level security too, and here changes all tenants' lines.
alter table invoice_line no force row level security;
update invoice_line set kind = 'MINIMUM' where steps -> 0 ->> 'description' = 'minimum of the plan';
alter table invoice_line force row level security;

alter table invoice_line add constraint invoice_line_kind check (kind in (
  'PRICE', 'MINIMUM', 'LATE_USAGE', 'PRORATION', 'DISCOUNT', 'TAX', 'CREDIT_DRAWN', 'CREDIT_GRANTED'
));
