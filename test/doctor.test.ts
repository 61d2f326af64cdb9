import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { invariants } from "../server/doctor/examine.ts";
import { catalog } from "./support/catalog.ts";
import { doctorOf } from "./support/doctor.ts";
import { type Harness, listAllInvoices, setup } from "./support/harness.ts";
import { createOwnedDatabase } from "./support/owned-database.ts";
import { startReceiver } from "./support/receiver.ts";

// Each invariant is broken on purpose, as the superuser, in a database in which everything has happened once.

const T = "tenant_id = $tenant"; // the tenant in which it happened
const FINAL = "(select invoice_id from invoice_document where sequence = 1)";
const DELIVERY = "(select min(id::text)::uuid from delivery where state = 'DELIVERED')";
const LATER = "log_boundary(now() + interval '5 minutes')";

/** How each is broken, and what is then found. */
const BREAKS: Record<string, { by: string; finds: RegExp }> = {
  "tables-bound": { by: "alter table metric no force row level security", finds: /^table metric$/ },
  "roles-bound": { by: "alter table discount owner to usageflow_worker", finds: /usageflow_worker owns discount/ },
  "final-unchangeable": {
    by: "grant update (total_minor) on invoice_document to usageflow_app",
    finds: /usageflow_app may update invoice_document/,
  },
  "schema-sound": {
    by: "alter table customer add constraint odd check (name <> 'x') not valid",
    finds: /constraint odd of customer/,
  },
  "work-due": {
    by: `delete from tenant_due where work = 'CLOSE_PERIODS'`,
    finds: /CLOSE_PERIODS by .* is not on the list/,
  },
  "work-done": {
    by: `insert into usage_batch (tenant_id, id, created_at) select $tenant, gen_random_uuid(), now() - interval '2 hours'`,
    finds: /usage has waited to be counted since/,
  },
  "delivery-sent": {
    by: `update endpoint set paused_at = null; update delivery_due set next_attempt_at = now() - interval '2 hours', lease_until = null, lease_token = null`,
    finds: /whd_\w+ has been due since/,
  },
  "usage-claimed": {
    by: "delete from usage_fold where batch_id = (select batch_id from usage_event where idempotency_key = 'used-0')",
    finds: /is neither waiting nor counted/,
  },
  "usage-claimed-once": {
    by: `insert into usage_batch (tenant_id, id, created_at) select tenant_id, batch_id, now() from usage_fold limit 1`,
    finds: /waits and is counted/,
  },
  "usage-folds": {
    by: `update usage_progress set last_number = 0 where ${T}`,
    finds: /is of fold \d+, and the last is 0/,
  },
  "usage-voided": {
    by: `update usage_void set batch_id = gen_random_uuid()`,
    finds: /the void of event used-3 is neither/,
  },
  "usage-buckets": {
    by: `update usage_bucket set amount_sum = amount_sum + 1 where metric = 'API_CALL' and customer_id = 'bob'`,
    finds: /API_CALL of bob .*: the bucket has 1 events and 1001/,
  },
  "usage-bucketed": {
    by: `delete from usage_bucket where customer_id = 'ann' and metric = 'API_CALL'`,
    finds: /event used-\d of ann is in no bucket/,
  },
  "usage-values": {
    by: `insert into usage_value (tenant_id, customer_id, metric, hour, dimensions, value)
      values ($tenant, 'ann', 'API_CALL', '2015-05-20T00:00Z', '{}', 'nobody')`,
    finds: /nothing gives the value 'nobody'/,
  },
  "invoice-total": {
    by: `update invoice_line set amount_minor = amount_minor + 1 where invoice_id = ${FINAL} and position = 1`,
    finds: /^INV-000001 says \d+, its lines come to \d+/,
  },
  "invoice-once": {
    by: `drop index invoice_period_key;
      insert into invoice select tenant_id, gen_random_uuid(), subscription_id, customer_id, plan_key, plan_version, kind,
        currency, period_start, period_end, 'DRAFT', created_at, finalize_at, full_period_start, full_period_end
      from invoice where id = ${FINAL}`,
    finds: /sub_\w+ has 2 invoices in_arrears/,
  },
  "invoice-state": {
    by: `update invoice set state = 'VOID' where id = ${FINAL}`,
    finds: /inv_\w+ is VOID, its history leads to FINALIZED|inv_\w+ is VOID, its history leads to PAID/,
  },
  "invoice-numbers": {
    by: `update invoice_document set sequence = 77 where sequence = 2`,
    finds: /INV-000002 is number 77/,
  },
  "credit-note-numbers": { by: `update credit_note_counter set last_sequence = 9`, finds: /the counter stands at 9/ },
  "invoice-as-told": {
    by: `update invoice_document set total_minor = total_minor - 5 where sequence = 3`,
    finds: /^INV-000003 was told as \d+, and is \d+/,
  },
  "invoice-rerated": {
    by: `update usage_event set amount = amount + 100000 where idempotency_key = 'used-1'`,
    finds: /^INV-00000\d comes out differently/,
  },
  "credit-balance": {
    by: `update credit_grant set remaining_minor = remaining_minor - 1 where remaining_minor > 1`,
    finds: /crg_\w+ of \w+ has \d+ left, its entries come to/,
  },
  "credit-of-invoice": {
    by: `update credit_entry set amount_minor = amount_minor - 1 where kind = 'DRAWN'`,
    finds: /its lines draw \d+ and grant 0; the ledger has \d+ drawn/,
  },
  "credit-notes": {
    by: `update credit_note set before_minor = 1 where sequence = 1`,
    finds: /^CN-000001 begins at 1, and the notes before it come to 0/,
  },
  "invoice-told": {
    by: `delete from outbox_event where type = 'invoice.finalized' and customer_id = 'bob'`,
    finds: /inv_\w+ of bob: there is no invoice.finalized/,
  },
  "credit-told": {
    by: `delete from outbox_event where type = 'credit.granted'`,
    finds: /there is no credit.granted of/,
  },
  "threshold-told": {
    by: `insert into spend_threshold_reached select tenant_id, id, period_start, 9, now() from subscription limit 1`,
    finds: /there is no usage.threshold_reached of/,
  },
  "event-there": { by: `insert into outbox_pending values ($tenant, gen_random_uuid())`, finds: /^evt_/ },
  "event-fanned-out": {
    by: `insert into outbox_event (tenant_id, id, type, occurred_at, data)
      values ($tenant, ${LATER}, 'invoice.paid', now(), '{}')`,
    finds: /evt_\w+ \(invoice.paid\) has none for whe_/,
  },
  "delivery-queued": { by: `delete from delivery_due`, finds: /whd_\w+ of evt_\w+ to whe_/ },
  "delivery-over": {
    by: `insert into delivery_due (tenant_id, delivery_id, endpoint_id, event_id, sequence, created_at, next_attempt_at)
      select tenant_id, id, endpoint_id, event_id, sequence, created_at, now() from delivery where id = ${DELIVERY}`,
    finds: /whd_\w+ is DELIVERED, with 1 attempts/,
  },
  "delivery-attempts": {
    by: `delete from delivery_attempt where delivery_id = ${DELIVERY}`,
    finds: /whd_\w+ is DELIVERED after 1 attempts; its log has 0/,
  },
  "delivery-sequences": {
    by: `delete from delivery where sequence = 3`,
    finds: /whe_\w+: after 2 comes 4/,
  },
  "delivery-once": {
    by: `insert into delivery (tenant_id, id, event_id, event_type, endpoint_id, sequence, state, created_at)
      -- of another week, where no key of this one holds it back
      select tenant_id, log_boundary(now() + interval '7 days'), event_id, event_type, endpoint_id, 900, 'PENDING', now()
      from delivery where sequence = 1 order by id limit 1`,
    finds: /whd_\w+ is not the only one/,
  },
  "audit-whole": { by: `delete from audit_entry where sequence = 2 and ${T}`, finds: /entry 3 has none before it/ },
  "audit-unchanged": { by: `update audit_entry set actor = 'nobody' where sequence = 1`, finds: /entry 1: CHANGED/ },
};
/** Everything happens once. */
async function lived(): Promise<Harness> {
  const receiver = await startReceiver();
  const harness = await setup({ config: { deliveryAllowedCidrs: ["127.0.0.0/8", "::1/128"] } });
  const { clients, advanceTo, drain } = harness;
  await clients.webhook.createEndpoint({ url: receiver.url, eventTypes: ["*"] });
  await clients.pricing.pushCatalog({ catalog });
  const at = timestampFromDate(new Date("2015-05-20T00:00:00Z"));
  const use = (customerId: string, place: number) => ({
    ...{ idempotencyKey: `used-${place}`, metric: "API_CALL", customerId, amount: "1000", occurredAt: at },
  });
  for (const [place, customerId] of ["ann", "bob", "cid", "ann"].entries())
    await clients.usage.trackUsage({ events: [use(customerId, place)] });
  await clients.usage.voidUsage({ idempotencyKeys: ["used-3"], reason: "twice" });
  await clients.invoice.createCreditGrant({ customerId: "cid", currency: "USD", amount: "10.00" });
  await clients.invoice.createCreditGrant({ customerId: "dot", currency: "USD", amount: "10.00" });
  await drain();
  await advanceTo("2015-06-01T01:00:00Z");
  const [first, second] = await listAllInvoices(clients);
  await clients.invoice.createCreditNote({
    invoiceId: second?.id ?? "",
    reason: "sorry",
    scope: { case: "amountMinor", value: 100n },
  });
  await drain();
  const { endpoint } = await clients.webhook.createEndpoint({ url: receiver.url });
  await clients.webhook.pauseEndpoint({ id: endpoint?.id ?? "" });
  await clients.invoice.markInvoicePaid({ id: first?.id ?? "" });
  await drain(); // what waits for the second endpoint is all that waits
  return harness;
}

test("a database in which everything has happened is sound, and each invariant that is broken is found", async () => {
  const harness = await lived();
  expect(await doctorOf(harness)).toEqual([]);
  expect(Object.keys(BREAKS).sort()).toEqual(invariants.map(({ name }) => name).sort());
  const missed: unknown[] = [];
  for (const { name } of invariants) {
    const { by, finds } = BREAKS[name] as (typeof BREAKS)[string];
    await sql.raw(by.replaceAll("$tenant", `'${harness.tenant.testId}'`)).execute(harness.ownerDb);
    const found = await doctorOf(harness, { only: [name] });
    if (!found.some((what) => finds.test(what.slice(`${name}: `.length)))) missed.push({ name, found });
  }
  expect(missed).toEqual([]);
});

test("the owner of another installation on the same PostgreSQL is no login of this one", async () => {
  const harness = await setup();
  await createOwnedDatabase();
  expect(await doctorOf(harness, { only: ["final-unchangeable"] })).toEqual([]);
});
