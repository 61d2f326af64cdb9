import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { folded } from "../../cli/output/folded.ts";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

const catalog = (fee: string, more = "") => `\
metrics:
  - { key: CALLS, name: Calls, aggregation: SUM }
plans:
  - key: pro
    currency: USD
    period: MONTHLY${more}
    prices:
      - { key: base, flat: { amount: ${fee} } }
      - key: calls
        metric: CALLS
        graduated: { tiers: [{ upTo: 100, unitAmount: 0.05 }, { unitAmount: 0.03 }] }
defaultPlan: pro
`;

async function place() {
  const { run, folder } = await createHere();
  const harness = await setup();
  const env = { USAGEFLOW_URL: harness.api.url, USAGEFLOW_API_KEY: harness.tenant.testKey };
  return {
    ...harness,
    run: (...args: string[]) => run(args, { env }),
    write: (text: string) => writeFile(join(folder, "catalog.yaml"), text),
  };
}

test("a diff is read before the push, and a push says what it did", { timeout: 120_000 }, async () => {
  const { run, write, clients } = await place();
  await write(catalog("20"));
  const first = await run("catalog", "push", "catalog.yaml", "--dry-run");
  expect(first).toEqual({
    code: 0,
    stderr: "This was a dry run: nothing is published.\n",
    stdout: `\
+ metric CALLS
  + name: Calls
  + aggregation: SUM
+ plan pro v1
  + currency: USD
  + period: MONTHLY
  + prices.base: {flat: {amount: 20}}
  + prices.calls: {metric: CALLS, graduated: {tiers: [{upTo: 100, unitAmount: 0.05}, {unitAmount: 0.03}]}}
+ defaultPlan: pro
`,
  });
  const stderr = "Published: 1 metric; plan pro, version 1.\n";
  expect(await run("catalog", "push", "catalog.yaml")).toEqual({ ...first, stderr });
  for (const customerId of ["ann", "bob"]) await clients.pricing.startSubscription({ customerId, plan: "pro" });
  await clients.pricing.pushCatalog({ catalog: { metrics: [{ key: "OTHER", aggregation: 1 }] } });

  await write(catalog("25").replace("0.05", "0.04").replace("    prices", "    minimumAmount: 9\n    prices"));
  const diff = await run("catalog", "diff", "catalog.yaml", "--exit-code");
  expect(diff).toEqual({
    code: 1,
    stderr: "",
    stdout: `\
~ plan pro v1 -> v2 (2 subscriptions stay on v1; new customers get v2)
  ~ prices.base.flat.amount: 20 -> 25
  ~ prices.calls.graduated.tiers[0].unitAmount: 0.05 -> 0.04
  + minimumAmount: 9
not in the file, left alone: metric OTHER
`,
  });
  expect(await run("catalog", "diff", "catalog.yaml")).toMatchObject({ code: 0, stdout: diff.stdout });
});

test("what others published is not lost unseen", { timeout: 120_000 }, async () => {
  const { run, write } = await place();
  await write(catalog("20"));
  await run("catalog", "push", "catalog.yaml");
  const { stdout: pulled } = await run("catalog", "pull");
  expect(pulled).toContain("\n    version: 1\n");
  expect((await run("catalog", "pull", "--no-versions")).stdout).not.toContain("version");
  await write(catalog("25"));
  await run("catalog", "push", "catalog.yaml");

  await write(pulled.replace("0.05", "0.04"));
  const refused = await run("catalog", "push", "catalog.yaml");
  expect(refused).toEqual({
    code: 5,
    stdout: "",
    stderr:
      'Error: catalog.yaml:7:14: plans[0].version: was made from version 1 of "pro", and the latest is 2. Publishing this ' +
      "would lose of the latest: prices.base.flat.amount 25 (here 20). Take these over and say version 2, leave the " +
      "version out, or force the push\n",
  });
  expect(await run("catalog", "diff", "catalog.yaml")).toEqual({
    code: 0,
    stderr: "A push of this file is refused, unless it is forced.\n",
    stdout: `\
~ plan pro v2 -> v3 (no subscriptions; new customers get v3)
  ~ prices.base.flat.amount: 25 -> 20
  ~ prices.calls.graduated.tiers[0].unitAmount: 0.05 -> 0.04
  ! prices.base.flat.amount: 25 was published since, and is lost
`,
  });
  expect(await run("catalog", "push", "catalog.yaml", "--force")).toMatchObject({
    code: 0,
    stderr: 'Published: plan pro, version 3.\nThe file says version 1 of plan pro: write "version: 3" now.\n',
  });
});

test("a line is cut at spaces where the terminal is narrow, and in a pipe not at all", () => {
  const line = "  + prices.calls: {metric: CALLS, perUnit: {unitAmount: 0.05}}";
  expect(folded(line, 6, 34)).toBe(`\
  + prices.calls: {metric: CALLS,
      perUnit: {unitAmount: 0.05}}`);
  expect(folded(line, 6, Infinity)).toBe(line);
  expect(folded("  + a-word-that-is-too-long", 6, 10)).toBe("  + a-word-that-is-too-long");
});
