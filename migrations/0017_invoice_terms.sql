-- What an invoice says besides what it bills: who sells, who buys, when it is due.

-- The contract's Party and Billing, as proto3 JSON.
alter table tenant add column seller jsonb not null default '{}';
alter table tenant add column payment_terms_days integer not null default 30;
alter table tenant add column memo text not null default '';
alter table tenant add constraint tenant_payment_terms check (payment_terms_days between 0 and 365);
grant update (seller, payment_terms_days, memo) on tenant to usageflow_app;

alter table customer add column billing jsonb not null default '{}';

-- Frozen with the document: no role may update it. Documents that are there already say nothing of it.
alter table invoice_document add column seller jsonb not null default '{}';
alter table invoice_document add column buyer jsonb not null default '{}';
alter table invoice_document add column purchase_order text not null default '';
alter table invoice_document add column due_at timestamptz; -- tenant time; null: from before there were payment terms
alter table invoice_document add column memo text not null default '';
