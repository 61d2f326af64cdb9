import { expect, test } from "vitest";
import { priced, use } from "../support/billing.ts";
import { createHere } from "./run-here.ts";

test("a customer is taxed, given a discount and credit, and its invoice says so", async () => {
  const harness = await priced();
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await harness.drain();
  const { run } = await createHere();
  const env = { USAGEFLOW_URL: harness.api.url, USAGEFLOW_API_KEY: harness.tenant.testKey };
  const usageflow = (...args: string[]) => run(args, { env });

  const put = await usageflow("customers", "put", "ann", "--tax", "VAT=19", "--tax-included", "Levy=2.5");
  expect(put.stdout).toBe(
    "Customer    ann\nFirst seen  2015-05-21 00:00\nTax         VAT 19%, Levy 2.5% (in the amounts)\n",
  );
  const subscription = (await harness.clients.pricing.listSubscriptions({})).subscriptions[0]?.id ?? "";
  const off = ["discounts", "create", subscription, "--name", "Launch offer", "--percent", "10"];
  expect((await usageflow(...off, "--periods", "3")).stdout.split("\n").slice(1)).toEqual([
    `Subscription  ${subscription}`,
    "Name          Launch offer",
    "Off           10%",
    "From          periods that begin at 2015-05-01 00:00 or later",
    "Until         periods that begin before 2015-08-01 00:00",
    "",
  ]);
  const grant = ["credits", "grant", "ann", "--currency", "USD", "--note", "for the outage"];
  const granted = await usageflow(...grant, "--amount", "2.00", "--expires", "2015-07-01", "--json");
  const { id } = JSON.parse(granted.stdout);
  expect((await usageflow(...grant, "--amount", "0.001")).stderr).toBe(
    "Error: --amount: must have at most 2 digits after the point, in USD\n",
  );
  await harness.clients.invoice.createCreditGrant({ customerId: "ann", currency: "USD", amount: "3.5" });

  await harness.advanceTo("2015-06-01T01:00:00Z");
  const { stdout } = await usageflow("invoices", "show", "INV-000001");
  expect(stdout.split("\n\n")[1]).toBe(`\
LINE                                QUANTITY     AMOUNT
Platform fee                               1  20.00 USD
API calls: 482 units                     482  17.22 USD
  tier up to 10: 10 × 0                               0
  tier up to 100: 90 × 0.05                         4.5
  tier above 100: 382 × 0.0333                  12.7206
Egress: 0 packages of 1000000 byte         0   0.00 USD
Subtotal                                      37.22 USD
Launch offer (10%)                            -3.72 USD
  10% of 37.22                                   -3.722
VAT (19%)                                      6.21 USD
  19% of 32.68                                   6.2092
Paid with credit                              -5.50 USD
  for the outage                                     -2
  credit                                           -3.5
Total                                         34.21 USD
Levy (2.5%) in it                              0.82 USD
Amount due                                    34.21 USD`);
  const ledger = (await usageflow("credits", "ledger", "--credit", id)).stdout.trimEnd().split("\n").slice(1);
  expect(ledger).toEqual([
    `2015-05-21 00:00  ${id}  ann       granted   2.00 USD              for the outage`,
    `2015-06-01 01:00  ${id}  ann       drawn    -2.00 USD  INV-000001`,
  ]);
  expect((await usageflow("credits", "revoke", id, "--reason", "a mistake")).stdout).toMatch(/^Revoked +2015-06-01/m);
});
