-- Deliveries that wait, by endpoint: each endpoint gets its turn, however much another has waiting (claim-deliveries.ts).
-- Steps from one endpoint to the next where the index by time alone would have to read all that is due before it.
create index delivery_endpoint_due on delivery (tenant_id, endpoint_id, next_attempt_at) where state = 'PENDING';
drop index delivery_due;
