-- Taking data away, and having it forgotten.

-- Final invoices in the order in which they were made final: what an export of a span of time reads.
create index invoice_document_by_time on invoice_document (tenant_id, finalized_at, sequence);
