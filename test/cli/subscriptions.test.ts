import { expect, test } from "vitest";
import { offered } from "../support/subscriptions.ts";
import { createHere } from "./run-here.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z.

test("a subscription is started, changed, ended and resumed, and shown as it is and will be", async () => {
  const { api, tenant, clients, drain } = await offered();
  const { run } = await createHere();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const subscriptions = async (...args: string[]) => {
    const answer = await run(["subscriptions", ...args], { env });
    await drain();
    return answer;
  };
  const started = await subscriptions("start", "ann", "seats", "--quantity", "2");
  const id = (await clients.pricing.listSubscriptions({})).subscriptions[0]?.id ?? "";
  expect(started).toEqual({
    code: 0,
    stdout: `\
Subscription  ${id}
Customer      ann
Plan          seats, version 1
Seats         2
Started       2015-05-01 00:00
Period        2015-05-01 00:00 to 2015-06-01 00:00
Time zone     UTC
`,
    stderr: "",
  });
  const later = await subscriptions("change", id, "--plan", "team", "--quantity", "5", "--at-period-end");
  expect(later.stdout.split("\n").slice(6)).toEqual([
    "Then          team, version 1, with 5 seats",
    "Time zone     UTC",
    "",
  ]);
  const now = await subscriptions("change", id, "--plan", "team", "--json");
  expect(JSON.parse(now.stdout)).toMatchObject({
    id,
    plan: "team",
    planVersion: 1,
    quantity: 2,
    nextPlan: "",
    nextQuantity: 5,
    periodStart: "2015-05-21T00:00:00Z",
  });
  expect((await subscriptions("end", id)).stdout).toContain("Ends          2015-06-01 00:00\n");
  expect((await subscriptions("resume", id)).stdout).not.toContain("Ends");
  const ended = await subscriptions("end", id, "--now");
  expect(ended.stdout.split("\n").slice(4)).toEqual([
    "Started       2015-05-01 00:00",
    "Ends          2015-05-21 00:00",
    "Time zone     UTC",
    "",
  ]);
  expect(await subscriptions("show", id)).toEqual(ended);
  expect((await subscriptions("resume", id)).code).toBe(5);
  expect((await subscriptions("change", id, "--quantity", "2")).code).toBe(5);
});

test("what cannot be meant is refused before it is sent, or with the flag that is wrong", async () => {
  const { api, tenant } = await offered();
  const { run } = await createHere();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const code = async (...args: string[]) => (await run(["subscriptions", ...args], { env })).code;
  const id = "sub_2RWPc3yyYZ9nQwJ1PSy8Kd";
  expect(await code("change", id)).toBe(2);
  expect(await code("change", id, "--quantity", "0")).toBe(2);
  expect(await code("change", id, "--plan-version", "1")).toBe(2);
  expect(await code("change", id, "--quantity", "1", "--now", "--at-period-end")).toBe(2);
  expect(await code("end", id)).toBe(4);
  expect(await code("start", "ann", "nope")).toBe(4);
});
