import { expect, onTestFinished, test } from "vitest";
import { startApi } from "../../server/api.ts";
import { type Clock, systemClock } from "../../server/clock.ts";
import type { Config } from "../../server/config.ts";
import { catalog } from "../support/catalog.ts";
import { createClients } from "../support/clients.ts";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

/** Commands for a second process with limits of the test's own. */
async function limited(config: Partial<Config>, clock?: Clock) {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  const api = await startApi(await harness.addApp({ rateBurstSeconds: 1, ...config }, clock));
  onTestFinished(() => api.close());
  const { run } = await createHere();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: harness.tenant.testKey };
  const clients = createClients(api.url, harness.tenant.testKey);
  return { run: (...args: string[]) => run(args, { env }), clients };
}

test("a command waits for a server that says to come again soon", async () => {
  const { run } = await limited({ tenantCallsPerSecond: 2 }, systemClock);
  for (let count = 0; count < 4; count++) {
    expect(await run("invoices", "list", "--json")).toEqual({ code: 0, stdout: '{"invoices":[]}\n', stderr: "" });
  }
});

test("it says when to try again where that is later", async () => {
  const { run, clients } = await limited({ tenantEventsPerSecond: 1 });
  const events = Array.from({ length: 31 }, () => ({ metric: "API_CALL", amount: "1", customerId: "c" }));
  await clients.usage.trackUsage({ events });
  const track = ["usage", "track", "API_CALL", "1", "--customer", "c"];
  const told = await run(...track);
  expect(told.code).toBe(1);
  expect(told.stderr).toBe("Error: this tenant sends more usage events than it may\nTry again in 31 s.\n");
  const { error } = JSON.parse((await run(...track, "--json")).stderr);
  expect(error).toMatchObject({ code: "resource_exhausted", reason: "RATE_LIMITED", hint: "Try again in 31 s." });
});
