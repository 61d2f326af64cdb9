import { expect, test } from "vitest";
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
