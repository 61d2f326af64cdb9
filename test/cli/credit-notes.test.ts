import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { billed } from "../support/billing.ts";
import { createHere } from "./run-here.ts";

async function commands() {
  const { api, tenant } = await billed();
  const { run, folder } = await createHere();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  return { folder, notes: (...args: string[]) => run(["credit-notes", ...args], { env }) };
}

test("an invoice is taken back by amount and by line, and its notes are listed and shown", async () => {
  const { notes, folder } = await commands();
  expect(await notes("create", "INV-000001", "--amount", "7.22", "--reason", "slow")).toEqual({
    code: 0,
    stdout: `\
Credit note        CN-000001
Invoice            INV-000001
Customer           ann
Amount             7.22 USD
Not owed any more  7.22 USD
Reason             slow
`,
    stderr: "",
  });
  const lines = ["--line", "1=10.00", "--line", "2=1"];
  expect((await notes("create", "INV-000001", ...lines, "--reason", "agreed", "--json")).stdout).toContain(
    '"amountMinor":"1100"',
  );
  expect((await notes("list", "--invoice", "INV-000001")).stdout).toBe(`\
CREDIT NOTE  INVOICE     CUSTOMER  ISSUED         AMOUNT  REASON
CN-000001    INV-000001  ann       2015-06-01   7.22 USD  slow
CN-000002    INV-000001  ann       2015-06-01  11.00 USD  agreed
`);
  expect((await notes("show", "CN-000002")).stdout).toBe(`\
Credit note  CN-000002
Customer     ann
Invoice      INV-000001 of 2015-06-01
Issued       2015-06-01
Reason       agreed

LINE                                                   AMOUNT
Line 1 of invoice INV-000001: Platform fee          10.00 USD
Line 2 of invoice INV-000001: API calls: 482 units   1.00 USD
Total taken back                                    11.00 USD
Not owed any more                                   11.00 USD
`);
  expect(await notes("show", "CN-000002", "--pdf", "note.pdf")).toMatchObject({ code: 0, stdout: "" });
  expect((await readFile(join(folder, "note.pdf"))).subarray(0, 5).toString()).toBe("%PDF-");
  const full = await notes("create", "INV-000001", "--full", "--refund", "--reason", "over", "--json");
  expect(JSON.parse(full.stdout)).toMatchObject({ amountMinor: "1900", settlement: "CREDIT_NOTE_SETTLEMENT_REFUND" });
  const none = await notes("create", "INV-000001", "--full", "--reason", "again");
  expect(none).toMatchObject({ code: 5, stdout: "" });
  expect(none.stderr).toContain("nothing is left to take back of the invoice");
});

test("what is wrong is told in the words of the command line", async () => {
  const { notes } = await commands();
  const create = async (...flags: string[]) => {
    const { code, stderr } = await notes("create", "INV-000001", "--reason", "x", ...flags);
    return [code, stderr.split("\n")[0]];
  };
  expect(await create("--amount", "1.234")).toEqual([2, expect.stringContaining('"1.234" is no amount of USD')]);
  expect(await create("--line", "0")).toEqual([2, expect.stringContaining('"0" is no line')]);
  expect(await create("--line", "9")).toEqual([
    1,
    expect.stringContaining("--line: is 9, and the charges of the invoice are 1 to "),
  ]);
  expect((await create())[0]).toBe(2);
  expect((await create("--full", "--amount", "1"))[0]).toBe(2);
});
