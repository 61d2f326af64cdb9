import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

test.each([
  [["invoices", "list", "--limit", "5", "--all"], "--limit and --all do not go together"],
  [["subscriptions", "change", "sub_1", "--plan-version", "2"], "--plan-version goes with --plan"],
  [["export", "usage", "--resume"], "--resume goes with --out"],
])("%j is told in plain words", async (args, words) => {
  const { run } = await createHere();
  const [topic, verb] = args;
  const stderr = `Error: ${words}\nSee: usageflow ${topic} ${verb} --help\n`;
  expect(await run(args)).toEqual({ code: 2, stdout: "", stderr });
});

test.each([
  [["export", "usage", "--to", "2026-01-01"], "--before"],
  [["export", "usage", "--output=csv"], "--format or --out"],
  [["customers", "list", "--format", "json"], "--output"],
  [["endpoints", "create", "https://example.com", "--type", "invoice.*"], "--event"],
  [["events", "list", "--event", "invoice.*"], "--type"],
  [["events", "list", "--before", "2026-01-01", "--form", "2025-01-01"], "--to or --from"],
])("%j is told which flag is meant", async (args, meant) => {
  const { run } = await createHere();
  const { code, stderr } = await run(args);
  expect([code, stderr]).toEqual([2, expect.stringContaining(`\nDid you mean: ${meant}? See: usageflow ${args[0]} `)]);
});

test("a flag that is like no other is told without a guess", async () => {
  const { run } = await createHere();
  expect((await run(["export", "usage", "--zzzz"])).stderr).toBe(
    "Error: Nonexistent flag: --zzzz\nSee: usageflow export usage --help\n",
  );
});

test("a wrong id is told with what was given, cut short, and without a secret in it", async () => {
  const { api, tenant } = await setup();
  const { run } = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey });
  const told = async (...args: string[]) => (await run(args)).stderr.split("\n")[0]?.replace(/^.*, and is /, "");
  expect(await told("deliveries", "list", "--endpoint=mine")).toBe('"mine"');
  expect(await told("endpoints", "show", `x${"y".repeat(99)}`)).toBe(`"x${"y".repeat(39)}"`);
  expect(await told("endpoints", "show", tenant.testKey)).toBe('"uf_test_..."');
});

test("an address that is not public is refused with how to have webhooks there", async () => {
  const { api, tenant } = await setup();
  const { run } = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey });
  expect(await run(["endpoints", "create", "http://localhost:4000/hook"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      / is not a public address\nTo have webhooks on this machine, listen for them: usageflow listen --forward-to URL\n$/,
    ),
  });
});
