import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { InvoiceLineKind, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { inTenant } from "../../server/db/database.ts";
import { holdDue } from "../../server/tenant/due.ts";
import { drain } from "../../server/worker.ts";
import { billed, use } from "../support/billing.ts";
import { expectLedgerToAddUp, ledger } from "../support/credits.ts";
import { listAllInvoices } from "../support/harness.ts";
import { untilWaiting } from "../support/waiting.ts";

const at = (time: string) => timestampFromDate(new Date(time));

test("two workers finalize and expire while calls void and revoke: nobody waits in a circle, and all adds up", async () => {
  const names = Array.from({ length: 6 }, (_, i) => `customer ${i}`);
  const harness = await billed(names);
  const { clients, app } = harness;
  const second = await harness.addApp();
  const faults: unknown[] = [];
  for (const { log } of [app, second]) log.error = (name, facts) => void faults.push([name, facts]);
  for (const month of [6, 7]) {
    const end = `2015-0${month + 1}-01T01:00:00Z`; // when the invoices of the month become final, and half of the credits go
    for (const customerId of names) {
      const credit = { customerId, currency: "USD", amount: "9" };
      await clients.invoice.createCreditGrant(credit);
      await clients.invoice.createCreditGrant({ ...credit, expiresAt: at(end) });
    }
    await harness.advanceTo(`2015-0${month}-28T00:00:00Z`);
    const invoices = await listAllInvoices(clients);
    const finals = invoices.filter(({ number, state }) => number !== "" && state === InvoiceState.FINALIZED).slice(-4);
    const grants = (await clients.invoice.listCreditGrants({})).creditGrants.slice(-4);
    await clients.tenant.advanceClock({ destination: { case: "to", value: at(end) } });
    await Promise.all([
      drain(app),
      drain(second),
      ...finals.map(({ id }) => clients.invoice.voidInvoice({ id, reason: "x" })),
      ...grants.map(({ id }) => clients.invoice.revokeCreditGrant({ id })),
    ]);
    await harness.drain();
    await expectLedgerToAddUp(harness);
  }
  expect(faults).toEqual([]);
  const numbers = (await listAllInvoices(clients)).map(({ number }) => number).filter((number) => number !== "");
  expect(numbers).toHaveLength(3 * names.length);
  for (const id of numbers) expect((await clients.invoice.verifyInvoice({ id })).matches).toBe(true);
});

test("a void of what drew credit and billed late usage takes its locks in the order of finalization", async () => {
  const harness = await billed();
  const { clients, app, tenant, ownerDb } = harness;
  await clients.invoice.createCreditGrant({ customerId: "ann", currency: "USD", amount: "100" });
  await use(harness, "ann", "10", "2015-05-20T00:00:00Z");
  await harness.advanceTo("2015-08-01T00:30:00Z");
  const [, june, july] = await listAllInvoices(clients);
  expect(june?.lines.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining([InvoiceLineKind.LATE_USAGE, InvoiceLineKind.CREDIT_DRAWN]),
  );
  expect(july?.state).toBe(InvoiceState.DRAFT);
  const { voided } = await inTenant(app.workerDb, tenant.testId, async (tx) => {
    await holdDue(tx, tenant.testId, "FINALIZE_INVOICES");
    const voided = clients.invoice.voidInvoice({ id: june?.id ?? "", reason: "a test" });
    voided.catch(() => {}); // looked at below
    await untilWaiting(ownerDb);
    await tx.selectFrom("credit_grant").selectAll().where("tenant_id", "=", tenant.testId).forUpdate().execute();
    return { voided };
  });
  expect((await voided).invoice?.state).toBe(InvoiceState.VOID);
  expect(await ledger(harness)).toEqual(["GRANTED 10000", "DRAWN -2033 INV-000002", "RETURNED 2033 INV-000002"]);
});
