import { fromJson } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { CreditSource } from "../../gen/usageflow/v1/credit_pb.ts";
import { CatalogSchema, ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { expectLedgerToAddUp, ledger } from "../support/credits.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

/** Ann pays 31 USD for May in advance, 10 % off and taxed; and ends on its 21st day, so that 11 of 31 days come back. */
async function ended(): Promise<Harness> {
  const harness = await setup();
  const { clients } = harness;
  const seat = { key: "seat", flat: { amount: "31", timing: "FLAT_TIMING_IN_ADVANCE" } };
  const plans = [
    { key: "pro", currency: "USD", period: "PERIOD_MONTHLY", prices: [seat] },
    { key: "side", currency: "USD", period: "PERIOD_MONTHLY", prices: [{ key: "fee", flat: { amount: "5" } }] },
  ];
  await clients.pricing.pushCatalog({ catalog: fromJson(CatalogSchema, { plans }) });
  await clients.tenant.putCustomer({ customer: { id: "ann", taxRates: [{ name: "VAT", percent: "19" }] } });
  const { subscription } = await clients.pricing.startSubscription({ customerId: "ann", plan: "pro" });
  const id = subscription?.id ?? "";
  await clients.pricing.createDiscount({
    subscriptionId: id,
    name: "Launch offer",
    value: { case: "percent", value: "10" },
    duration: { case: "forEver", value: true },
  });
  await harness.drain();
  await clients.pricing.endSubscription({ id, timing: ChangeTiming.NOW });
  await harness.advanceTo("2015-05-22T00:00:00Z");
  return harness;
}

const brief = async ({ clients }: Harness) =>
  (await listAllInvoices(clients)).map((invoice) =>
    [invoice.number, invoice.totalMinor, ...invoice.lines.map((line) => line.amountMinor)].join(" "),
  );

test("an invoice that comes to less than nothing is 0, and what was paid comes back as credit", async () => {
  const harness = await ended();
  // 31 - 3.10 = 27.90, and 5.30 tax. 11 come back: less 1.10 that was not paid, and with 1.88 tax.
  expect(await brief(harness)).toEqual(["INV-000001 3320 3100 -310 530", "INV-000002 0 -1100 110 -188 1178"]);
  const [, invoice] = await listAllInvoices(harness.clients);
  expect(invoice).toMatchObject({
    subtotalMinor: -1100n,
    discountMinor: -110n,
    taxMinor: -188n,
    creditMinor: -1178n,
    totalMinor: 0n,
  });
  const { creditGrants } = await harness.clients.invoice.listCreditGrants({});
  expect(creditGrants).toMatchObject([
    {
      customerId: "ann",
      source: CreditSource.INVOICE,
      amountMinor: 1178n,
      remainingMinor: 1178n,
      invoiceId: invoice?.id,
      note: "from INV-000002",
    },
  ]);
  for (const id of ["INV-000001", "INV-000002"]) {
    expect((await harness.clients.invoice.verifyInvoice({ id })).matches).toBe(true);
  }
});

test("that credit pays for the next invoice, and then its invoice cannot be voided; without, it can", async () => {
  const harness = await ended();
  const { clients } = harness;
  await clients.pricing.startSubscription({ customerId: "ann", plan: "side" });
  await harness.advanceTo("2015-06-02T00:00:00Z");
  const voided = (id: string) => clients.invoice.voidInvoice({ id, reason: "x" });
  expect(await refused(voided("INV-000002"))).toMatchObject({ code: Code.FailedPrecondition });
  await voided("INV-000003");
  const before = (await ledger(harness)).length;
  await voided("INV-000002");
  expect((await ledger(harness)).slice(before)).toEqual(["REVOKED -1178 INV-000002"]);
  const { matches, creditsMatch } = await clients.invoice.verifyInvoice({ id: "INV-000002" });
  expect({ matches, creditsMatch }).toEqual({ matches: true, creditsMatch: true });
  await expectLedgerToAddUp(harness);
});
