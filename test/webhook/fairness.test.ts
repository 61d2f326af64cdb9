import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { type Harness, setup } from "../support/harness.ts";
import { answer, type Behaviour, startReceiver } from "../support/receiver.ts";
import { stageEvents, times } from "./stage-events.ts";

const HEALTHY = 20;
const never = 600_000;

/**
 * Sends the deliveries of a tenant beside those of another, which were there first, and answers how many of these had arrived
 * when the last of its own did. Who was kept waiting is answered then.
 */
async function sentBeside(
  { app, clients, tenant, clientsFor, addOrganization }: Harness,
  noise: { receivers: number; events: number; behaviour: Behaviour },
): Promise<number> {
  const other = await addOrganization("Other");
  const noisy = await startReceiver();
  const open: ServerResponse[] = [];
  noisy.behave((response, request) => {
    open.push(response);
    noise.behaviour(response, request);
  });
  const healthy = await startReceiver();
  for (let count = 0; count < noise.receivers; count++) await clients.webhook.createEndpoint({ url: noisy.url });
  await clientsFor(other.testKey).webhook.createEndpoint({ url: healthy.url });
  await stageEvents(app, tenant.testId, times(noise.events));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  await stageEvents(app, other.testId, times(HEALTHY));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  const stop = new AbortController();
  let before = 0;
  healthy.behave((response) => {
    response.end();
    if (healthy.got.length < HEALTHY) return;
    before = noisy.got.length;
    stop.abort();
    noisy.behave((late) => late.end());
    for (const waiting of open) waiting.end();
  });
  await deliver(app, stop.signal);
  expect(healthy.got).toHaveLength(HEALTHY);
  return before;
}

describe("another tenant's deliveries leave first", () => {
  const config = { emulator: true, deliveryTimeoutMs: never, deliveryLeaseMs: 2 * never };

  test("beside an endpoint that hangs, with a thousand waiting", async () => {
    const before = await sentBeside(await setup({ config }), { receivers: 1, events: 1_000, behaviour: () => {} });
    expect(before).toBeLessThanOrEqual(64); // a quarter of the slots, none of them answered
  });

  test("beside many receivers that dribble", async () => {
    const behaviour: Behaviour = (response) => {
      const dribble = setInterval(() => response.write("."), 50);
      response.once("close", () => clearInterval(dribble));
    };
    const harness = await setup({ config: { ...config, deliveryConcurrencyMax: 32 } });
    const before = await sentBeside(harness, { receivers: 40, events: 10, behaviour });
    expect(before).toBeLessThanOrEqual(16); // half of the slots, none of them free again
  });

  test("beside a receiver that is quick, with a thousand waiting", async () => {
    const noise = { receivers: 1, events: 1_000, behaviour: answer(204) };
    expect(await sentBeside(await setup({ config }), noise)).toBeLessThan(500);
  });
});

test("every endpoint gets its turn, and turns go round", async () => {
  const harness = await setup({ config: { emulator: true } });
  const { app, clients, tenant } = harness;
  const receiver = await startReceiver();
  for (let count = 0; count < 70; count++) await clients.webhook.createEndpoint({ url: receiver.url });
  await stageEvents(app, tenant.testId, times(2));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  expect(await deliver(app)).toBe(140); // a claim looks at 64 endpoints
  await stageEvents(app, tenant.testId, times(1));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  let sent = 0;
  for (let more = 1; more > 0; sent += more) more = await deliver(app);
  expect(sent).toBe(70);
});

test("slots that become free while others are claimed, and are taken by those, are not waited for", async () => {
  const harness = await setup({ config: { emulator: true, deliveryConcurrencyMax: 4 } });
  const { app, clientsFor, addOrganization } = harness;
  const receiver = await startReceiver();
  for (let count = 0; count < 8; count++) {
    const { testId, testKey } = await addOrganization(`Tenant ${count}`);
    await clientsFor(testKey).webhook.createEndpoint({ url: receiver.url });
    await stageEvents(app, testId, times(10));
  }
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  expect(await deliver(app)).toBe(80);
});
