import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { expect, test } from "vitest";
import type { App } from "../../server/app.ts";
import { billLateUsage } from "../../server/invoice/bill-late-usage.ts";
import { closePeriods } from "../../server/invoice/close-periods.ts";
import { finalizeInvoices } from "../../server/invoice/finalize-invoices.ts";
import { subscribeArrivals } from "../../server/pricing/subscribe-arrivals.ts";
import { foldUsage } from "../../server/usage/fold-usage.ts";
import { priced, use } from "../support/billing.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";

// Usage comes, is folded and voided while the invoices of its period become final, by several workers and by calls.

/** Waits until so many statements of this database wait for a lock. */
async function waiting({ ownerDb }: Harness, count: number): Promise<void> {
  for (let found = 0; found < count; ) {
    const { rows } = await sql`
      select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`.execute(ownerDb);
    found = rows.length;
  }
}

test("a fold that comes while invoices become final waits, and leaves news of what they did not count", async () => {
  const harness = await priced();
  const { app, tenant, ownerDb, clients } = harness;
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await use(harness, "bob", "1", "2015-05-20T00:00:00Z");
  await harness.advanceTo("2015-06-01T00:30:00Z");
  const [anns, bobs] = await listAllInvoices(clients);
  await clients.invoice.finalizeInvoice({ id: bobs?.id ?? "" }); // so that there is a counter to hold
  const block = await ownerDb.startTransaction().execute();
  await block.selectFrom("invoice_counter").selectAll().forUpdate().execute();
  const finalize = clients.invoice.finalizeInvoice({ id: anns?.id ?? "" }); // has read its lines, and stops here
  await waiting(harness, 1);
  await use(harness, "ann", "10", "2015-05-20T00:00:00Z");
  const fold = foldUsage(app, tenant.testId);
  await waiting(harness, 2);
  await block.rollback().execute();
  expect((await finalize).invoice?.totalMinor).toBe(3722n);
  expect(await fold).toBe(1);
  expect(await ownerDb.selectFrom("usage_news").select("customer_id").execute()).toEqual([{ customer_id: "ann" }]);
  await harness.advanceTo("2015-07-02T00:00:00Z");
  const invoices = await listAllInvoices(clients);
  const totals = invoices.map(({ customerId, totalMinor }) => `${customerId} ${totalMinor}`);
  expect(totals.sort()).toEqual(["ann 2033", "ann 3722", "bob 2000", "bob 2000"]);
});

test("nothing is lost and nobody waits in a circle, whatever runs at the same time", async () => {
  const harness = await priced();
  const { app, tenant, clients } = harness;
  const workers = [app, await harness.addApp(), await harness.addApp()];
  const customers = ["ann", "bob", "cat", "dan", "eve"];
  for (const customer of customers) await use(harness, customer, "100", "2015-05-20T00:00:00Z");
  const expected = new Map(customers.map((customer) => [customer, 100]));
  await harness.drain();
  const work = [foldUsage, subscribeArrivals, billLateUsage, closePeriods, finalizeInvoices];
  const rounds = async (worker: App, shift: number) => {
    for (let i = 0; i < 12; i++) await work[(i + shift) % work.length]?.(worker, tenant.testId);
  };
  const report = async (month: number) => {
    for (let i = 0; i < 6; i++) {
      const customerId = customers[i % customers.length] as string;
      const occurredAt = timestampFromDate(new Date(Date.UTC(2015, 4, 20, i)));
      const events = [1, 7].map((amount) => ({
        metric: "API_CALL",
        amount: String(amount),
        customerId,
        occurredAt,
        idempotencyKey: `${month} ${i} ${amount}`,
      }));
      await clients.usage.trackUsage({ events, backfill: true });
      await clients.usage.voidUsage({ idempotencyKeys: [`${month} ${i} 1`], reason: "a test" });
      expected.set(customerId, (expected.get(customerId) ?? 0) + 7);
    }
  };
  // The clock is moved by hand: no walk does the work, the workers below do.
  const moveTo = (time: string) =>
    harness.ownerDb
      .updateTable("tenant")
      .set({ clock_frozen_at: new Date(time) })
      .where("tenant_id", "=", tenant.testId)
      .execute();
  const finalizeAll = async () => {
    for (const { id, number } of await listAllInvoices(clients)) {
      // Refused while usage of the period is pending, and where the worker was first.
      if (number === "") await clients.invoice.finalizeInvoice({ id }).catch((error) => expect(error.code).toBe(9));
    }
  };
  for (const month of [6, 7, 8]) {
    await moveTo(`2015-0${month}-01T00:30:00Z`);
    await Promise.all([...workers.map(rounds), report(month)]);
    await moveTo(`2015-0${month}-01T01:00:00Z`);
    await Promise.all([...workers.map(rounds), report(month * 10), finalizeAll()]);
  }
  await harness.advanceTo("2015-10-02T00:00:00Z");
  const totals = Map.groupBy(await listAllInvoices(clients), ({ customerId }) => customerId);
  for (const [customer, calls] of expected) {
    const billed = (totals.get(customer) ?? []).reduce((sum, { totalMinor }) => sum + totalMinor, 0n);
    const cents = Math.round((90 * 0.05 + (calls - 100) * 0.0333) * 100);
    expect([customer, billed]).toEqual([customer, BigInt(5 * 2_000 + cents)]);
  }
  for (const { id } of await listAllInvoices(clients)) {
    expect((await clients.invoice.verifyInvoice({ id })).matches).toBe(true);
  }
});
