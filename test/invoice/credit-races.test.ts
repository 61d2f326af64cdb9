import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { drain } from "../../server/worker.ts";
import { billed } from "../support/billing.ts";
import { expectLedgerToAddUp } from "../support/credits.ts";
import { listAllInvoices } from "../support/harness.ts";

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
