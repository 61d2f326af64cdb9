import { expect, test } from "vitest";
import { setupOrdered } from "../webhook/ordered.ts";
import { createPlace } from "./run-cli.ts";

test("a customer's events come in order, one that holds the others is seen, and skipped", {
  timeout: 120_000,
}, async () => {
  const { run } = await createPlace();
  const { answer, api, came, clients, drain, make, receiver, tenant } = await setupOrdered({}, false);
  await clients.webhook.deleteEndpoint({ id: (await clients.webhook.listEndpoints({})).endpoints[0]?.id ?? "" });
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const usageflow = (...args: string[]) => run(args, { env });
  const json = async (...args: string[]) => JSON.parse((await usageflow(...args, "--json")).stdout);

  const { endpoint } = await json("endpoints", "create", receiver.url, "--ordered", "--event", "invoice.*");
  expect(endpoint).toMatchObject({ ordered: true });
  expect((await usageflow("endpoints", "show", endpoint.id)).stdout).toMatch(/^Ordered +by customer$/m);
  answer("a1", 500);
  await make("aab");
  await drain();
  expect(came().sort()).toEqual(["a1", "b3"]);

  const { deliveries } = await json("deliveries", "list", "--endpoint", endpoint.id, "--oldest-first");
  const [first, second] = deliveries;
  expect(second).toMatchObject({ state: "DELIVERY_STATE_PENDING", heldBy: first.id });
  const line = (await usageflow("deliveries", "list")).stdout.split("\n").find((one) => one.includes(second.id));
  expect(line).toMatch(new RegExp(`pending, held +0 +${first.id}$`));
  const shown = (await usageflow("deliveries", "show", second.id)).stdout;
  expect(shown).toMatch(new RegExp(`^Held by +${first.id}$`, "m"));
  expect(shown).not.toContain("Next attempt");

  expect(await usageflow("deliveries", "retry", second.id)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining(`it waits for ${first.id}`),
  });
  expect(await usageflow("deliveries", "skip", first.id)).toEqual({
    code: 0,
    stdout: `${first.id}\n`,
    stderr: `invoice.finalized is not sent to ${endpoint.id} any more.\n`,
  });
  const { deliveries: skipped } = await json("deliveries", "list", "--state", "skipped");
  expect(skipped).toMatchObject([{ id: first.id, state: "DELIVERY_STATE_SKIPPED" }]);
  await drain();
  expect(came()).toEqual(["a2"]);

  await usageflow("endpoints", "pause", endpoint.id);
  expect(await usageflow("deliveries", "retry", first.id)).toMatchObject({
    code: 0,
    stderr: `The endpoint is paused: what is to be sent waits for usageflow endpoints resume ${endpoint.id}\n`,
  });
  expect(await usageflow("endpoints", "test", endpoint.id)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining("the endpoint is paused: nothing is sent to it"),
  });
  expect(await json("endpoints", "update", endpoint.id, "--no-ordered")).toMatchObject({ ordered: false });
});
