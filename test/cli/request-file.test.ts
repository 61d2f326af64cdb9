import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { priced } from "../support/billing.ts";
import { createHere } from "./run-here.ts";

async function commands() {
  const { api, tenant } = await priced();
  const { run, folder } = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey });
  const file = join(folder, "given.yaml");
  return {
    run: (...args: string[]) => run(args),
    json: async (...args: string[]) => JSON.parse((await run([...args, "--json"])).stdout),
    /** Runs a command with a file of this text. */
    async withFile(text: string, ...args: string[]) {
      await writeFile(file, text);
      const { code, stdout, stderr } = await run([...args, "--file", file]);
      return { code, stdout, stderr: stderr.replaceAll(file, "given.yaml") };
    },
  };
}

test("a customer is put from what was shown of it, and flags go before the file", async () => {
  const { json, withFile } = await commands();
  const billing = "billing: { buyer: { name: Ann Ltd, address: [a, b] }, paymentTermsDays: 3 }";
  const put = await withFile(
    `name: Ann\ntaxRates: [{ name: VAT, percent: 19 }]\n${billing}\n`,
    "customers",
    "put",
    "ann",
  );
  expect(put).toMatchObject({ code: 0, stderr: "" });
  const shown = await json("customers", "show", "ann");
  expect(shown).toMatchObject({
    name: "Ann",
    taxRates: [{ name: "VAT", percent: "19" }],
    billing: { paymentTermsDays: 3 },
  });
  await withFile(JSON.stringify(shown), "customers", "put", "bob", "--name", "Bob");
  expect(await json("customers", "show", "bob")).toEqual({
    ...shown,
    id: "bob",
    name: "Bob",
    createdAt: expect.any(String),
  });
});

test("what is wrong with a file is told with its place, and what is wrong with a flag with the flag", async () => {
  const { withFile } = await commands();
  const put = (text: string, ...flags: string[]) => withFile(text, "customers", "put", "ann", ...flags);
  const percent = "must be a percentage from 0 to 100 such as 12.5, with at most 18 digits after the point";
  expect(await put("taxRates: [{ name: VAT, percent: 190 }]")).toMatchObject({
    code: 1,
    stderr: `Error: given.yaml:1:34: taxRates[0].percent: ${percent}\n`,
  });
  expect(await put("name: Ann", "--tax", "VAT=190")).toMatchObject({ code: 2, stderr: `Error: --tax: ${percent}\n` });
  expect((await put("nam: Ann")).stderr).toContain(
    "given.yaml:1:1: nam: there is no such field; allowed here: id, name",
  );
  const { stderr } = await withFile("gracePeriod: 2x\npaymentTermsDays: 400\n", "tenant", "update");
  expect(stderr).toBe(
    'Error: given.yaml:1:14: gracePeriod: "2x" is no span of time: write it like 10d, 1h30m or 90s\n',
  );
  const terms = await withFile("memo: x\npaymentTermsDays: 400\n", "tenant", "update");
  expect(terms.stderr).toMatch(/^Error: given\.yaml:2:19: paymentTermsDays: must be /);
});

test("settings of the tenant come from a file too", async () => {
  const { json, withFile } = await commands();
  const text = "gracePeriod: 2h\nbackfillWindow: 3d\nmemo: Thanks.\nseller: { name: Acme }\n";
  expect(await withFile(text, "tenant", "update", "--memo", "Bye.")).toMatchObject({ code: 0 });
  expect(await json("tenant", "show")).toMatchObject({
    ...{ gracePeriod: "7200s", backfillWindow: "259200s", memo: "Bye.", seller: { name: "Acme" } },
  });
});

test("a metric is put by flags or from a file, seen and listed", async () => {
  const { run, json, withFile } = await commands();
  const text = "aggregation: UNIQUE\nuniqueProperty: user\ndimensions: [region]\n";
  expect(await withFile(text, "metrics", "put", "USERS", "--name", "Users")).toEqual({
    code: 0,
    stdout: "Metric      USERS\nName        Users\nCounts      unique\nValues of   user\nDimensions  region\n",
    stderr: "",
  });
  expect(await run("metrics", "put", "JOBS", "--aggregation", "count")).toMatchObject({ code: 0 });
  expect(await run("metrics", "put", "JOBS", "--aggregation", "count")).toMatchObject({ stderr: "Nothing changed.\n" });
  const { metrics } = await json("metrics", "list", "--sort=-metric");
  expect(metrics).toMatchObject([{ key: "USERS" }, { key: "JOBS" }, { key: "EGRESS_BYTES" }, { key: "API_CALL" }]);
  expect((await run("metrics", "list", "--limit", "1")).stderr).toBe("These are the first 1. --all shows all.\n");
  expect(await json("metrics", "show", "USERS")).toEqual(metrics[0]);
  expect(await run("metrics", "show", "USER")).toMatchObject({ code: 4, stdout: "" });
  expect(await run("metrics", "put", "X")).toMatchObject({ code: 2 });
});

test("one event is tracked, once under its key", async () => {
  const { run, json } = await commands();
  const track = (...args: string[]) => run("usage", "track", "API_CALL", ...args, "--customer", "ann");
  const same = ["--key", "k", "--property", "a=b=c", "--at", "2015-05-20"];
  expect(await track("1000", ...same)).toEqual({ code: 0, stdout: "Outcome  accepted\nKey      k\n", stderr: "" });
  expect((await track("1000", ...same)).stdout).toContain("duplicate");
  const [event] = (await json("usage", "events")).usageEvents;
  expect(event).toMatchObject({ amount: "1000", properties: { a: "b=c" }, occurredAt: "2015-05-20T00:00:00Z" });
  expect(await track("2", ...same)).toMatchObject({ code: 5, stdout: "" });
});

test("an event that is refused for what it says is a wrong value; an unknown metric is not found", async () => {
  const { run } = await commands();
  const track = (...args: string[]) => run("usage", "track", ...args, "--customer", "ann");
  const amount = "Error: AMOUNT: must be a decimal number such as 12 or 0.5\n";
  expect(await track("API_CALL", "x")).toEqual({ code: 2, stdout: "", stderr: amount });
  const old = await track("API_CALL", "1", "--at", "2001-01-01");
  expect(old).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^Error: --at: is older than the backfill window/),
  });
  const failed = await track("API_CALL", "1", "--at", "2001-01-01", "--json");
  expect(JSON.parse(failed.stderr).error).toMatchObject({ code: "usage", field: "occurred_at" });
  expect(await track("API_KALL", "1")).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/did you mean API_CALL/),
  });
  await run("metrics", "put", "HOSTS", "--aggregation", "unique", "--unique-property", "host");
  expect(await track("HOSTS")).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Error: --property: /) });
});
