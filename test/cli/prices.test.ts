import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

const price = "graduated:\n  tiers:\n    - { upTo: 100, unitAmount: 0.05 }\n    - { unitAmount: 0.03 }\n";
const catalog = `\
metrics:
  - { key: CALLS, aggregation: SUM }
  - { key: PAID, aggregation: SUM }
plans:
  - key: pro
    currency: JPY
    period: MONTHLY
    minimumAmount: 1000
    prices:
      - { key: fee, flat: { amount: 500 } }
      - key: calls
        metric: CALLS
        includedQuantity: 10
        maximumAmount: 900
        volume: { billFlatAtZero: true, tiers: [{ upTo: 100, unitAmount: 5, flatAmount: 7 }, { unitAmount: 3 }] }
      - key: payments
        metric: PAID
        percentage: { percent: 2.9, fixedAmount: 30, freeEvents: 1, maxPerEvent: 50 }
`;

async function place() {
  const { run, folder } = await createHere();
  const { api, tenant } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  await writeFile(join(folder, "price.yaml"), price);
  await writeFile(join(folder, "catalog.yaml"), catalog);
  return (args: string[], input = "") => run(args, { env, input });
}

test("a price is worked out from a file, from a catalog file and from what is published", async () => {
  const run = await place();
  expect(await run(["prices", "preview", "--file", "price.yaml", "--currency", "USD", "--quantity", "150"])).toEqual({
    code: 0,
    stderr: "",
    stdout: `\
STEP            QUANTITY  EACH    AMOUNT
tier up to 100       100  0.05         5
tier above 100        50  0.03       1.5
Exact                                6.5
Total                           6.50 USD
`,
  });
  const json = async (...args: string[]) => {
    const { stdout, stderr } = await run(["prices", "preview", "--json", ...args]);
    return stderr === "" ? JSON.parse(stdout) : JSON.parse(stderr).error;
  };
  const calls = ["--plan", "pro", "--price", "calls"];
  expect(await json(...calls, "--catalog", "catalog.yaml", "--quantity", "10")).toMatchObject({
    amountMinor: "7",
    steps: [{ description: "included" }, { amount: "0" }, { amount: "7" }],
  });
  expect(await json(...calls, "--quantity", "10")).toMatchObject({ code: "not_found" });
  const pushed = await run(["catalog", "push", "catalog.yaml"]);
  expect(pushed.stderr).toBe(`\
Warning: plans[0].prices[1].volume.tiers[1]: a larger quantity costs less: 110 costs 507, and just more than that 300
Published: 2 metrics; plan pro, version 1.
`);
  expect(await json(...calls, "--quantity", "111")).toMatchObject({ amountMinor: "303", exactAmount: "303" });
  expect(await json(...calls, "--quantity", "111", "--currency", "KWD")).toMatchObject({ amountMinor: "303000" });
  const payments = ["--plan", "pro", "--price", "payments", "--event-amounts", "100,1000,200"];
  expect(await json(...payments)).toMatchObject({ amountMinor: "86", exactAmount: "85.8" });
  expect((await run(["catalog", "pull"])).stdout).toContain("billFlatAtZero: true");
  const repushed = await run(["catalog", "push", "-"], (await run(["catalog", "pull"])).stdout);
  expect(repushed).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("Nothing changed.") });
  const { stdout } = await run(["plans", "show", "pro"]);
  expect(stdout).toBe(`\
Plan      pro
Version   1
Currency  JPY
Period    monthly
Minimum   1000 per period

PRICE     METRIC  MODEL       AMOUNT
fee               flat        500
calls     CALLS   volume      up to 100: 5 each, and 7 once, without usage too
                              above: 3 each
                              the first 10 included
                              at most 900
payments  PAID    percentage  2.9% and 30 per event
                              at most 50 per event
                              the first 1 event free
`);
});

test("a mistake is told with its place", async () => {
  const run = await place();
  const failure = async (args: string[], input = "") => {
    const { code, stderr } = await run(["prices", "preview", ...args], input);
    return [code, stderr.split("\n")[0]];
  };
  const given = ["--file", "-", "--currency", "USD"];
  const tiers = "volume:\n  tiers: [{ upTo: 5 }, { upTo: 4 }, {}]\n";
  expect(await failure(given, tiers)).toEqual([
    1,
    "Error: -:2:32: volume.tiers[1].upTo: must be more than 5, where this tier begins",
  ]);
  const inCatalog = "plans:\n- { key: a, currency: USD, prices: [{ key: p, volume: { tiers: [{ upTo: 0 }, {}] } }] }\n";
  expect(await failure(["--catalog", "-", "--plan", "a", "--price", "p"], inCatalog)).toEqual([
    1,
    "Error: -:2:73: plans[0].prices[0].volume.tiers[0].upTo: must be more than 0, where this tier begins",
  ]);
  expect(await failure(given, "graduated: { tiers: [{}], billFlatAtZero: 1 }")).toEqual([
    1,
    "Error: -:1:43: graduated.billFlatAtZero: must be true or false",
  ]);
  expect(await failure([...given, "--quantity", "x"], "perUnit: { unitAmount: 1 }")).toEqual([
    1,
    expect.stringMatching(/^Error: --quantity: /),
  ]);
  expect(await failure(["--file", "price.yaml"])).toEqual([
    2,
    "Error: --currency is needed: a price in a file of its own has none",
  ]);
  expect(await failure(["--catalog", "catalog.yaml", "--plan", "pro", "--price", "nope"])).toEqual([
    4,
    'Error: there is no price "nope" in plan "pro"',
  ]);
  expect(await failure(["--catalog", "catalog.yaml", "--plan", "nope", "--price", "p"])).toEqual([
    4,
    'Error: there is no plan "nope" in catalog.yaml',
  ]);
  expect(await failure(["--file", "none.yaml", "--currency", "USD"])).toEqual([4, "Error: none.yaml: no such file"]);
  for (const args of [[], ["--plan", "pro"], ["--file", "a", "--plan", "pro", "--price", "b"]]) {
    expect((await failure(args))[0]).toBe(2);
  }
});
