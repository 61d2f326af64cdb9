import { sql } from "kysely";
import { expect, test } from "vitest";
import { billed, priced, use } from "../support/billing.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

async function commands({ api, tenant }: Harness) {
  const { run } = await createHere();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const invoices = (...args: string[]) => run(["invoices", ...args], { env });
  return {
    invoices,
    json: async (...args: string[]) => {
      const { code, stdout, stderr } = await invoices(...args, "--json");
      return { code, json: JSON.parse(stdout || stderr) };
    },
  };
}

test("a preview shows what the open period comes to, and through which fold", async () => {
  const harness = await priced();
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await harness.drain();
  const { invoices, json } = await commands(harness);
  expect(await invoices("preview", "--customer", "ann")).toEqual({
    code: 0,
    stdout: `\
Customer  ann
State     draft
Due       2015-07-01
Period    2015-05-01 00:00 to 2015-06-01 00:00 UTC, in arrears
Plan      pro, version 1

LINE                                QUANTITY     AMOUNT
Platform fee                               1  20.00 USD
API calls: 482 units                     482  17.22 USD
  tier up to 10: 10 × 0                               0
  tier up to 100: 90 × 0.05                         4.5
  tier above 100: 382 × 0.0333                  12.7206
Egress: 0 packages of 1000000 byte         0   0.00 USD
Total                                         37.22 USD
`,
    stderr: "As of now, with usage through fold 1.\n",
  });
  expect(await json("preview", "--customer", "ann")).toMatchObject({
    code: 0,
    json: { invoice: { id: "", totalMinor: "3722" }, usageFold: "1" },
  });
  expect(await json("preview", "--customer", "bob")).toMatchObject({ code: 4, json: { error: { code: "not_found" } } });
});

test("a draft is finalized, an invoice is given up and paid after all, and its history is shown", async () => {
  const harness = await priced();
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await harness.advanceTo("2015-06-01T00:00:00Z");
  const [draft] = await listAllInvoices(harness.clients);
  const key = (await harness.clients.tenant.listApiKeys({})).apiKeys[0]?.id ?? "";
  const { invoices, json } = await commands(harness);
  const finalized =
    "Invoice   INV-000001\nCustomer  ann\nState     finalized\nTotal     37.22 USD\nDue       2015-07-01\n";
  expect(await invoices("finalize", draft?.id ?? "")).toEqual({ code: 0, stdout: finalized, stderr: "" });
  const givenUp = await json("uncollectible", "INV-000001", "--reason", "bankrupt");
  expect(givenUp).toMatchObject({ code: 0, json: { state: "INVOICE_STATE_UNCOLLECTIBLE" } });
  const paid = await invoices("pay", "INV-000001", "--reference", "pi_1", "--paid-at", "2015-05-31");
  expect(paid.stdout.split("\n").slice(2)).toEqual([
    "State     paid",
    "Total     37.22 USD",
    "Paid at   2015-05-31 00:00",
    "Note      pi_1",
    "",
  ]);
  expect((await json("void", "INV-000001", "--reason", "x")).json.error).toMatchObject({
    code: "failed_precondition",
    reason: "STATE_CONFLICT",
    message: 'invoice "INV-000001" is PAID and cannot become VOID',
  });
  expect((await invoices("void", "INV-000001", "--reason", "x")).code).toBe(5);
  const { stdout } = await invoices("show", "INV-000001");
  expect(stdout.split("\n").slice(-5)).toEqual([
    `WHEN              BECAME         PAID AT           BY${" ".repeat(key.length)}NOTE`,
    `2015-06-01 00:00  finalized                        ${key}`,
    `2015-06-01 00:00  uncollectible                    ${key}  bankrupt`,
    `2015-06-01 00:00  paid           2015-05-31 00:00  ${key}  pi_1`,
    "",
  ]);
});

test("invoices are listed by state and by period", async () => {
  const harness = await billed(["ann", "bob"]);
  await harness.advanceTo("2015-07-01T00:00:00Z");
  const { json, invoices } = await commands(harness);
  expect((await invoices("void", "INV-000001", "--reason", "twice")).code).toBe(0);
  const list = async (...flags: string[]) =>
    (await json("list", ...flags)).json.invoices.map((invoice: { number: string }) => invoice.number);
  expect(await list("--state", "void")).toEqual(["INV-000001"]);
  expect(await list("--period-before", "2015-06-01")).toEqual(["INV-000001", "INV-000002"]);
  expect(await list("--period-from", "2015-06-01")).toEqual(["", ""]);
});

test("verify says that all is the same, or what differs, and then exits with 1", async () => {
  const harness = await billed(["ann", "bob", "cat"]);
  await harness.advanceTo("2015-07-01T00:00:00Z"); // with drafts, which it leaves out
  const { invoices, json } = await commands(harness);
  expect(await invoices("verify", "--all")).toEqual({
    code: 0,
    stdout: "",
    stderr: "3 invoices verified, no difference.\n",
  });
  expect(await json("verify", "INV-000002")).toEqual({ code: 0, json: { verified: 1, different: [] } });

  await sql`set session_replication_role = replica; delete from usage_event where customer_id = 'ann'`.execute(
    harness.ownerDb,
  );
  await sql`update invoice_line set steps = '[]' where price_key = 'base'`.execute(harness.ownerDb);
  await sql`delete from invoice_line where price_key = 'egress'`.execute(harness.ownerDb);
  await sql`update invoice_document set number = 'INV-000009' where number = 'INV-000003'`.execute(harness.ownerDb);
  const told = await invoices("verify", "INV-000009", "INV-000001");
  expect(told).toEqual({
    code: 1,
    stdout: `\
INV-000009 differs:
  line 1, base: the steps of its derivation
  line 3, egress: missing, recomputed 0.00 USD
  number: it does not say its sequence, or one before or after it is missing
INV-000001 differs:
  line 1, base: the steps of its derivation
  line 2, calls: quantity 482, recomputed 0; amount 17.22 USD, recomputed 0.00 USD; exact amount 17.2206, recomputed 0
  line 3, egress: missing, recomputed 0.00 USD
  total: 37.22 USD, recomputed 20.00 USD
`,
    stderr: "2 invoices verified, 2 different.\n",
  });
  const all = await json("verify", "--all");
  expect(all).toMatchObject({ code: 1, json: { verified: 3 } });
  expect(all.json.different.map((answer: { number: string }) => answer.number)).toEqual([
    "INV-000001",
    "INV-000002",
    "INV-000009",
  ]);
  expect(all.json.different[0]).toMatchObject({ matches: false, numberMatches: true, recomputedTotalMinor: "2000" });
  expect(await json("verify", "INV-000009", "INV-000004")).toMatchObject({ code: 4, json: { error: {} } });
});
