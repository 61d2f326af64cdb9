import { sql } from "kysely";
import { expect, test } from "vitest";
import { priced, use } from "../support/billing.ts";
import type { Harness } from "../support/harness.ts";

/** May of ann: 37.22 USD, 10 % off, taxed twice, and paid in part with credit. */
async function settled(): Promise<Harness> {
  const harness = await priced();
  const { clients } = harness;
  const taxRates = [
    { name: "VAT", percent: "19" },
    { name: "Levy", percent: "2", inclusive: true },
  ];
  await clients.tenant.putCustomer({ customer: { id: "ann", taxRates } });
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  const { subscription } = await clients.pricing.startSubscription({ customerId: "ann", plan: "pro" });
  await clients.pricing.createDiscount({
    subscriptionId: subscription?.id ?? "",
    name: "Launch offer",
    value: { case: "percent", value: "10" },
    duration: { case: "forEver", value: true },
  });
  for (const amount of ["3", "4"]) {
    await clients.invoice.createCreditGrant({ customerId: "ann", currency: "USD", amount });
  }
  await harness.advanceTo("2015-06-01T01:00:00Z");
  return harness;
}

const verify = async ({ clients }: Harness) => {
  const { matches, lines, taxesMatch, creditsMatch } = await clients.invoice.verifyInvoice({ id: "INV-000001" });
  const wrong = lines
    .filter((line) => !line.matches)
    .map(({ stored, recomputed }) => (stored ?? recomputed)?.description);
  return { matches, wrong, taxesMatch, creditsMatch };
};

test("an invoice that nobody touched is the same, also when it is void", async () => {
  const harness = await settled();
  const same = { matches: true, wrong: [], taxesMatch: true, creditsMatch: true };
  expect(await verify(harness)).toEqual(same);
  await harness.clients.invoice.voidInvoice({ id: "INV-000001", reason: "x" });
  expect(await verify(harness)).toEqual(same);
});

test.each([
  ["update invoice_line set amount_minor = -371 where kind = 'DISCOUNT'", { wrong: ["Launch offer (10%)"] }],
  ["update invoice_line set amount_minor = amount_minor + 1 where kind = 'TAX'", { wrong: ["VAT (19%)"] }],
  ["update invoice_line set exact_amount = 6 where kind = 'TAX'", { wrong: ["VAT (19%)"] }],
  [
    "update invoice_line set amount_minor = -600 where kind = 'CREDIT_DRAWN'",
    { wrong: ["Paid with credit"], creditsMatch: false },
  ],
  [
    "update credit_entry set amount_minor = -399 where kind = 'DRAWN' and amount_minor = -400",
    { wrong: ["Paid with credit"], creditsMatch: false },
  ],
  ["update invoice_document set taxes = jsonb_set(taxes, '{1,amountMinor}', '\"65\"')", { taxesMatch: false }],
  [
    "update invoice_document set discounts = jsonb_set(discounts, '{0,percent}', '\"0\"')",
    { wrong: expect.arrayContaining(["Launch offer (10%)"]), taxesMatch: false },
  ],
])("what was tampered with is found: %s", async (statement, found) => {
  const harness = await settled();
  await harness.ownerDb.transaction().execute(async (tx) => {
    await sql.raw("set local session_replication_role = replica").execute(tx);
    await sql.raw(statement).execute(tx);
  });
  const untouched = { matches: false, wrong: [], taxesMatch: true, creditsMatch: true };
  expect(await verify(harness)).toEqual({ ...untouched, ...found });
});

test("a void invoice whose credit did not come back is found", async () => {
  const harness = await settled();
  await harness.clients.invoice.voidInvoice({ id: "INV-000001", reason: "x" });
  await harness.ownerDb.deleteFrom("credit_entry").where("kind", "=", "RETURNED").execute();
  expect(await verify(harness)).toMatchObject({ matches: false, creditsMatch: false });
});
