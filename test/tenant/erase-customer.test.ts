import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema, ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";
import type { ErasurePart } from "../../server/tenant/customer-erasure.ts";
import { eraseCopies } from "../../server/tenant/erase-copies.ts";
import { doctorOf } from "../support/doctor.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";

// Words that stand nowhere else.
const NAME = "Canary Quillfeather";
const FORMER = "Canary Formerly";
const STREET = "Canary Lane 77";
const TAX_ID = "CANARY99887";
const EMAIL = "canary@canary.example";
const ORDER = "PO-CANARY-1";
const PROPERTY = "canary-device";
const REGION = "canary-region"; // by which the metric measures

const catalog = fromJson(CatalogSchema, {
  metrics: [
    { key: "API_CALL", aggregation: "AGGREGATION_SUM", dimensions: ["region"] },
    { key: "USERS", aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "user" },
  ],
  plans: [
    {
      key: "pro",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: [
        { key: "base", flat: { amount: "20.00" } },
        { key: "calls", metric: "API_CALL", perUnit: { unitAmount: "0.01" }, groupBy: ["region"] },
      ],
    },
  ],
});

/** The tables in which some text stands, in any column of any row. */
async function tablesWith({ ownerDb }: Harness, text: string): Promise<string[]> {
  const { rows: tables } = await sql<{ name: string }>`
    select c.relname as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by 1`.execute(ownerDb);
  const found: string[] = [];
  for (const { name } of tables) {
    const { rows } = await sql`
      select from ${sql.table(name)} as row where row::text ilike ${`%${text}%`} limit 1`.execute(ownerDb);
    if (rows.length > 0) found.push(name);
  }
  return found;
}

const billing = {
  buyer: { name: NAME, address: [STREET], taxId: TAX_ID, email: EMAIL },
  purchaseOrder: ORDER,
  paymentTermsDays: 14,
};

const at = (time: string) => timestampFromDate(new Date(time));

/** Two customers of one name: one with an invoice, and one without. */
async function start() {
  const harness = await setup({ config: { emulator: true } });
  const receiver = await startReceiver();
  receiver.behave((response, { body }) => response.writeHead(400).end(body)); // repeats what it was sent
  const { clients } = harness;
  await clients.pricing.pushCatalog({ catalog });
  await clients.webhook.createEndpoint({ url: receiver.url });
  for (const id of ["billed", "never"]) {
    await clients.tenant.putCustomer({ customer: { id, name: FORMER } });
    await clients.tenant.putCustomer({ customer: { id, name: NAME, billing } });
    await clients.usage.trackUsage({
      events: [
        {
          metric: "API_CALL",
          amount: "5",
          customerId: id,
          idempotencyKey: `${id}-1`,
          properties: { region: REGION, device: PROPERTY },
        },
        { metric: "USERS", customerId: id, idempotencyKey: `${id}-2`, properties: { user: "u1", device: PROPERTY } },
      ],
    });
  }
  const { subscription } = await clients.pricing.startSubscription({ customerId: "billed", plan: "pro" });
  await harness.drain();
  const erase = (id: string) => clients.tenant.eraseCustomer({ id });
  const erased = async () => {
    await harness.drain();
    harness.clock.advance(harness.app.config.deliveryLeaseMs);
    await harness.drain();
  };
  return { ...harness, erase, erased, subscription: subscription?.id ?? "", harness };
}

test("nothing of a customer's own words is left in the database, but for what its invoices say", async () => {
  const { harness, clients, erase, erased, subscription, advanceTo } = await start();
  await advanceTo("2015-05-22T00:00:00Z");
  await clients.pricing.endSubscription({ id: subscription, timing: ChangeTiming.NOW });
  await advanceTo("2015-06-02T00:00:00Z");
  const before = await listAllInvoices(clients);
  expect(before.length).toBeGreaterThan(0);
  for (const text of [NAME, STREET, TAX_ID, EMAIL, ORDER, FORMER, PROPERTY]) {
    expect([text, (await tablesWith(harness, text)).length > 0]).toEqual([text, true]);
  }
  expect(await tablesWith(harness, STREET)).toEqual([
    ...["audit_entry", "customer", "delivery_attempt", "invoice_document", "outbox_event"],
  ]);
  const { customer } = await erase("billed");
  expect(customer).toMatchObject({ id: "billed", name: "", erasing: true, billing: { paymentTermsDays: 14 } });
  await erase("never");
  await erased();
  for (const text of [NAME, STREET, TAX_ID, EMAIL, ORDER]) {
    expect([text, await tablesWith(harness, text)]).toEqual([text, ["invoice_document"]]);
  }
  for (const text of [FORMER, PROPERTY]) expect([text, await tablesWith(harness, text)]).toEqual([text, []]);
  // What is measured by stays: the invoice is worked out from it.
  expect(await tablesWith(harness, REGION)).toEqual(["invoice_line", "outbox_event", "usage_bucket", "usage_event"]);
  expect(await listAllInvoices(clients)).toEqual(before);
  for (const { id } of before) expect(await clients.invoice.verifyInvoice({ id })).toMatchObject({ matches: true });
  const { customer: after } = await clients.tenant.getCustomer({ id: "billed" });
  expect([after?.erasing, after?.erasedAt]).toEqual([undefined, expect.anything()]);
  expect(await doctorOf(harness)).toEqual([]); // and what is left is sound
});

test("however much there is, all of it is looked at", async () => {
  const { harness, ownerDb, tenant, erase, erased } = await start();
  const data = JSON.stringify({ customer: { id: "never", name: NAME } });
  await sql`insert into usage_event (tenant_id, idempotency_key, metric, customer_id, amount, occurred_at,
      occurred_at_sent, properties, batch_id)
    select ${tenant.testId}, 'many-' || n, 'API_CALL', 'never', 1, '2015-05-20'::timestamptz + n % 3 * interval '1 h', true,
      jsonb_build_object('device', ${PROPERTY}::text), gen_random_uuid() from generate_series(1, 2500) as n`.execute(
    ownerDb,
  );
  await sql`
    with event as (
      insert into outbox_event (tenant_id, id, type, occurred_at, customer_id, data)
      select ${tenant.testId}, gen_random_uuid(), 'customer.created', '2015-05-20'::timestamptz + n % 7 * interval '1 h',
        'never', ${data} from generate_series(1, 1300) as n returning id
    ), sent as (
      insert into delivery (tenant_id, id, event_id, endpoint_id, sequence, state, created_at, completed_at, event_type,
        customer_id, attempt_count)
      select ${tenant.testId}, gen_random_uuid(), event.id, endpoint.id, row_number() over () + 1000, 'DELIVERED',
        '2015-05-20', '2015-05-20', 'customer.created', 'never', 1 from event, endpoint returning id
    )
    insert into delivery_attempt (tenant_id, delivery_id, number, sent_at, duration_us, status, error, response_body)
    select ${tenant.testId}, id, 1, '2015-05-20', 1, 200, '', ${data} from sent`.execute(ownerDb);
  await sql`insert into audit_entry (tenant_id, sequence, recorded_at, action, actor, key_id, address, request_id, subject,
      refusal, left_out_count, detail, hash)
    select ${tenant.testId}, n + 1000, '2015-05-20', 'PutCustomer', '', '', '', '', 'never', '', 0,
      jsonb_build_object('after', jsonb_build_object('name', ${NAME}::text))::text, '' from generate_series(1, 500) as n`.execute(
    ownerDb,
  );
  await erase("never");
  await erased();
  const { rows } = await sql<{ left: bigint }>`
    select (select count(*) from usage_event where customer_id = 'never' and properties ? 'device')
      + (select count(*) from outbox_event where customer_id = 'never' and data like '%Canary%')
      + (select count(*) from delivery join delivery_attempt on delivery_id = delivery.id
         where customer_id = 'never' and response_body <> '')
      + (select count(*) from audit_entry where subject = 'never' and detail like '%Canary%') as left`.execute(ownerDb);
  expect(rows).toEqual([{ left: 0n }]);
  expect(await tablesWith(harness, FORMER)).not.toEqual([]); // the other customer's
});

test("the audit log says that it was done, verifies, and finds who takes out more", async () => {
  const { clients, erase, erased, ownerDb } = await start();
  await erase("never");
  await erased();
  expect(await clients.tenant.verifyAudit({})).toMatchObject({ breach: 0 });
  const { auditEntries } = await clients.tenant.listAuditEntries({ filter: { subject: "never" } });
  const [entry, replaced, made] = auditEntries;
  expect(entry).toMatchObject({ action: "EraseCustomer", erased: false, after: { erasing: true } });
  expect(replaced).toMatchObject({ action: "PutCustomer", erased: true, before: { name: "[erased]" } });
  expect(made).toMatchObject({ erased: true, request: { customer: { id: "never", name: "[erased]" } } });
  // As one who has the database: the same, by hand, with another entry; and other words in one that was erased.
  const ofOther = sql`update audit_entry set detail = '{}', original_digest = sha256(detail::bytea),
    erasure = (select erasure from audit_entry where erasure is not null limit 1)
    where subject = 'billed' and sequence = (select max(sequence) from audit_entry where subject = 'billed')`;
  await sql`create table kept as select * from audit_entry`.execute(ownerDb);
  await ofOther.execute(ownerDb);
  expect(await clients.tenant.verifyAudit({})).toMatchObject({ breach: 2 });
  await sql`update audit_entry set detail = kept.detail, original_digest = kept.original_digest, erasure = kept.erasure
    from kept where kept.tenant_id = audit_entry.tenant_id and kept.sequence = audit_entry.sequence`.execute(ownerDb);
  expect(await clients.tenant.verifyAudit({})).toMatchObject({ breach: 0 });
  await sql`update audit_entry set detail = replace(detail, '[erased]', '[changed]') where subject = 'never'`.execute(
    ownerDb,
  );
  expect(await clients.tenant.verifyAudit({})).toMatchObject({ breach: 2 });
  await sql`drop table kept`.execute(ownerDb);
});

test("a customer whose erasure fails holds up no other", async () => {
  const { app, clients } = await setup();
  const ids = ["bad", "good", "well"];
  for (const id of ids) {
    await clients.tenant.putCustomer({ customer: { id } });
    await clients.tenant.eraseCustomer({ id });
  }
  const step: ErasurePart["step"] = async (_app, _tx, { customerId }) => {
    if (customerId === "bad") throw new Error("a row that cannot be read");
    return undefined;
  };
  const erasing = async () => {
    const { customers } = await clients.tenant.listCustomers({});
    return customers.filter((one) => one.erasing).map(({ id }) => id);
  };
  while ((await erasing()).length > 1) await eraseCopies(app, [{ place: "USAGE", step }]);
  expect(await erasing()).toEqual(["bad"]);
});

test("it is refused while an invoice is to come, and of a customer that is not known", async () => {
  const { clients, erase, subscription, advanceTo } = await start();
  const conflict = { code: Code.FailedPrecondition, reason: ErrorReason.STATE_CONFLICT };
  expect(await refused(erase("billed"))).toMatchObject(conflict);
  await clients.pricing.endSubscription({ id: subscription });
  await advanceTo("2015-06-01T00:30:00Z"); // the draft's grace period
  expect((await listAllInvoices(clients)).map(({ state }) => state)).toEqual([InvoiceState.DRAFT]);
  expect(await refused(erase("billed"))).toMatchObject(conflict);
  await advanceTo("2015-06-01T02:00:00Z");
  expect(await refused(erase("billed"))).toBeUndefined();
  expect(await refused(erase("nobody"))).toMatchObject({ reason: ErrorReason.NOT_FOUND });
});

test("done again it erases what came since; usage goes on, and the customer may be put again", async () => {
  const { harness, clients, erase, erased } = await start();
  await erase("never");
  const count = async () =>
    (await clients.tenant.listAuditEntries({ filter: { actions: ["EraseCustomer"] } })).auditEntries.length;
  await erase("never"); // under way: nothing changes
  expect(await count()).toBe(1);
  await erased();
  const again = {
    metric: "API_CALL",
    amount: "1",
    customerId: "never",
    idempotencyKey: "later",
    properties: { device: PROPERTY },
  };
  const { results } = await clients.usage.trackUsage({ events: [again] });
  expect(results[0]?.outcome).toBe(1);
  await harness.drain();
  expect(await tablesWith(harness, PROPERTY)).toEqual(["usage_event"]);
  const { total } = await clients.usage.getUsage({
    ...{ metric: "API_CALL", customerId: "never" },
    ...{ start: at("2015-05-21T00:00:00Z"), end: at("2015-05-22T00:00:00Z"), interval: UsageInterval.DAY },
  });
  expect(total?.quantity).toBe("6");
  await erase("never");
  await erased();
  expect(await count()).toBe(2);
  const { usageEvents } = await clients.usage.listUsageEvents({ customerId: "never" });
  expect(usageEvents.map(({ properties }) => properties)).toContainEqual({ region: REGION });
  expect(JSON.stringify(usageEvents.map(({ properties }) => properties))).not.toContain(PROPERTY);
  const { customer } = await clients.tenant.putCustomer({ customer: { id: "never", name: "Anew" } });
  expect([customer?.name, customer?.erasing, customer?.erasedAt]).toEqual(["Anew", undefined, undefined]);
});
