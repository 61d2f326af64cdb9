import { expect, test } from "vitest";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

test("spend thresholds are set, shown and taken out, and a mistake is told in words", async () => {
  const { run } = await createHere();
  const { api, tenant, clients } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  await clients.pricing.pushCatalog({ catalog });
  const { subscription } = await clients.pricing.startSubscription({ customerId: "ann", plan: "pro" });
  const thresholds = (...args: string[]) =>
    run(["subscriptions", "thresholds", subscription?.id ?? "", ...args], { env });
  expect(await thresholds("--amounts", "100,250.50")).toEqual({ code: 0, stderr: "", stdout: "100\n250.5\n" });
  expect(JSON.parse((await thresholds("--json")).stdout)).toMatchObject({ spendThresholds: ["100", "250.5"] });
  expect(await thresholds("--amounts", "2,1")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("1 comes after 2"),
  });
  expect(await thresholds("--amounts", "-1")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--amounts: must be a decimal such as 0.05"),
  });
  expect(await thresholds("--none")).toEqual({ code: 0, stderr: "No thresholds are set.\n", stdout: "" });
});
