import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { byDifference, totalOf } from "../../cli/output/simulation.ts";
import { CustomerSimulationSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { priced, use } from "../support/billing.ts";
import { createHere } from "./run-here.ts";

const file = `\
plans:
  - key: pro
    currency: USD
    period: MONTHLY
    prices:
      - { key: base, flat: { amount: 19 } }
      - { key: calls, metric: API_CALL, perUnit: { unitAmount: 0.04 } }
      - { key: gpu, metric: GPU, perUnit: { unitAmount: 1 } }
`;

test("a plan that is not published is tried on last month's usage", { timeout: 120_000 }, async () => {
  const { run, folder } = await createHere();
  const harness = await priced();
  for (const [customer, calls] of Object.entries({ ann: "482", bob: "7", cyd: "25" })) {
    await use(harness, customer, calls, "2015-05-20T00:00:00Z");
  }
  await harness.advanceTo("2015-06-02T00:00:00Z");
  const env = { USAGEFLOW_URL: harness.api.url, USAGEFLOW_API_KEY: harness.tenant.testKey };
  const simulate = (...args: string[]) => run(["plans", "simulate", ...args], { env });

  await writeFile(join(folder, "catalog.yaml"), file);
  expect(await simulate("--catalog", "catalog.yaml", "--plan", "pro")).toEqual({
    code: 1,
    stdout: "",
    stderr:
      'Error: catalog.yaml:8:29: plans[0].prices[2].metric: there is no metric "GPU" yet, so it has no usage to price\n',
  });
  await writeFile(join(folder, "catalog.yaml"), file.replace(/.*GPU.*\n/, ""));
  expect(await simulate("--catalog", "catalog.yaml", "--plan", "pro", "--against", "pro")).toEqual({
    code: 0,
    stderr: "1 customer pays more, 2 customers pay less, 0 customers pay the same.\n",
    stdout: `\
CUSTOMER  PERIODS        OLD        NEW  DIFFERENCE       %
ann             1  37.22 USD  38.28 USD   +1.06 USD  +2.85%
cyd             1  20.75 USD  20.00 USD   -0.75 USD  -3.61%
bob             1  20.00 USD  19.28 USD   -0.72 USD   -3.6%
Total           3  77.97 USD  77.56 USD   -0.41 USD  -0.53%
`,
  });
  const { stdout } = await simulate("--plan", "pro@1", "--limit", "1", "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    planVersion: 1,
    currency: "USD",
    customers: [{ customerId: "ann", oldMinor: "3722", newMinor: "3722", differencePercent: "0" }],
    total: { periods: 3, differenceMinor: "0" },
  });
  const wrong = [
    [["--plan", "pro@0"], '--plan: "pro@0" is no plan: write it like pro, or pro@2'],
    [["--plan", "pro@1", "--catalog", "catalog.yaml"], "--plan names a version, and a plan of a file has none"],
  ] as const;
  for (const [args, message] of wrong) {
    expect(await simulate(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  }
  expect(await simulate("--plan", "pro", "--to", "2015-05-31")).toEqual({
    code: 0,
    stdout: "",
    stderr: "Nothing to show: no period of these has ended and been billed.\n",
  });
});

test("who gains or loses most stands first, and the total adds up", () => {
  const one = (customerId: string, oldMinor: bigint, newMinor: bigint) =>
    create(CustomerSimulationSchema, {
      ...{ customerId, oldMinor, newMinor, periods: 1 },
      differenceMinor: newMinor - oldMinor,
    });
  const customers = [one("a", 100n, 101n), one("b", 100n, 50n), one("c", 0n, 40n), one("d", 7n, 8n)];
  expect(customers.sort(byDifference).map(({ customerId }) => customerId)).toEqual(["b", "c", "a", "d"]);
  const total = { periods: 4, oldMinor: 207n, newMinor: 199n, differenceMinor: -8n, differencePercent: "-3.86" };
  expect(totalOf(customers)).toMatchObject(total);
  expect(totalOf([])).toMatchObject({ periods: 0, oldMinor: 0n, differencePercent: "" });
});
