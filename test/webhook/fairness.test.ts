import { expect, test } from "vitest";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { stageEvents, times } from "./stage-events.ts";

test("an endpoint that hangs with a thousand deliveries waiting does not keep another tenant's from leaving", async () => {
  const harness = await setup({ config: { emulator: true } });
  const { app, clients, tenant, clientsFor, addOrganization } = harness;
  const other = await addOrganization("Other");
  const dead = await startReceiver();
  const hanging: (() => void)[] = [];
  dead.behave((response) => hanging.push(() => response.end()));
  const healthy = await startReceiver();
  await clients.webhook.createEndpoint({ url: dead.url });
  await clientsFor(other.testKey).webhook.createEndpoint({ url: healthy.url });
  await stageEvents(app, tenant.testId, times(1_000));
  await stageEvents(app, other.testId, times(20));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  const stop = new AbortController();
  healthy.behave((response) => {
    response.end();
    if (healthy.got.length < 20) return;
    stop.abort();
    for (const end of hanging) end();
    dead.behave((late) => late.end());
  });
  await deliver(app, stop.signal);
  expect(healthy.got).toHaveLength(20);
  expect(dead.got.length).toBeLessThanOrEqual(64); // a quarter of the slots, none of them answered
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
