import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

async function commands() {
  const { api, tenant } = await setup();
  const { run } = await createHere();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  return (...args: string[]) => run(args, { env });
}

test("settings that flags name are changed, and those of the seller one by one", async () => {
  const run = await commands();
  const seller = ["--seller-name", "Acme GmbH", "--seller-address", "Hauptstr. 1", "--seller-address", "10115 Berlin"];
  expect((await run("tenant", "update", ...seller, "--seller-tax-id", "DE1")).code).toBe(0);
  const flags = ["--seller-email", "a@acme.test", "--payment-terms", "14", "--memo", "Thanks.", "--grace-period", "2h"];
  expect((await run("tenant", "update", "--time-zone", "Europe/Berlin")).code).toBe(0);
  expect((await run("tenant", "update", ...flags)).code).toBe(0);
  const { stdout } = await run("tenant", "show");
  expect(stdout.split("\n").slice(1)).toEqual([
    "Organization     Acme",
    "Kind             test",
    "Clock            2015-05-21 00:00 UTC",
    "Time zone        Europe/Berlin",
    "Grace period     2h",
    "Backfill window  35d",
    "Invoice prefix   INV-",
    "Payment terms    14 days",
    "Seller           Acme GmbH",
    "Address          Hauptstr. 1, 10115 Berlin",
    "Tax id           DE1",
    "Email            a@acme.test",
    "Memo             Thanks.",
    "",
  ]);
  const cleared = await run("tenant", "update", "--seller-address", "", "--memo", "", "--json");
  expect(JSON.parse(cleared.stdout)).toMatchObject({ seller: { name: "Acme GmbH", address: [] }, memo: "" });
  const wrong = await run("tenant", "update", "--payment-terms", "366");
  expect(wrong).toMatchObject({ code: 1, stdout: "" });
  expect(wrong.stderr).toContain("--payment-terms: must be");
  expect((await run("tenant", "update", "--time-zone", "Berlin")).stderr).toContain("such as Europe/Berlin");
});

test("a customer is put with its billing details, and without them they go", async () => {
  const run = await commands();
  const buyer = [
    "--buyer-name",
    "Engines Ltd",
    "--address",
    "12 St James Sq",
    "--address",
    "London",
    "--tax-id",
    "GB1",
  ];
  const terms = ["--email", "ada@engines.test", "--purchase-order", "PO 7", "--payment-terms", "0"];
  const put = await run("customers", "put", "user_123", "--name", "Ada", ...buyer, ...terms);
  expect(put.stdout).toBe(`\
Customer        user_123
Name            Ada
First seen      2015-05-21 00:00
Buyer           Engines Ltd
Address         12 St James Sq, London
Tax id          GB1
Email           ada@engines.test
Purchase order  PO 7
Payment terms   due at once
`);
  expect((await run("customers", "put", "user_123")).stdout).toBe(
    "Customer    user_123\nFirst seen  2015-05-21 00:00\n",
  );
  const long = await run("customers", "put", "user_123", "--tax-id", "x".repeat(65));
  expect(long.stderr).toContain("--tax-id: ");
});
