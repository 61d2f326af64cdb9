import { describe, expect, test } from "vitest";
import type { App } from "../../server/app.ts";
import { claimDeliveries, FIRST_TURN } from "../../server/webhook/claim-deliveries.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { allowance } from "../../server/webhook/endpoint-caps.ts";
import { createRoom } from "../../server/webhook/room.ts";
import { setupDeliveries } from "./deliveries.ts";

const NOW = new Date("2015-06-01T00:00:00Z");
const claim = async (app: App) => (await claimDeliveries(app, FIRST_TURN, createRoom(1_000))).claimed.length;

describe("allowance", () => {
  test.each([
    { rate: 10, paidMsAgo: 0, count: 0 },
    { rate: 10, paidMsAgo: 99, count: 0 },
    { rate: 10, paidMsAgo: 100, count: 1 },
    { rate: 10, paidMsAgo: 1_000_000, count: 5 },
    { rate: 1, paidMsAgo: 999, count: 0 },
    { rate: 1, paidMsAgo: 1_000_000, count: 1 },
    { rate: 10_000, paidMsAgo: 1, count: 10 },
    { rate: 10, paidMsAgo: -5_000, count: 0 },
  ])("at $rate a second, paid $paidMsAgo ms ago: $count", ({ rate, paidMsAgo, count }) => {
    expect(allowance(new Date(NOW.getTime() - paidMsAgo), rate, NOW).count).toBe(count);
  });
});

describe("an endpoint with max_per_second", () => {
  test("gets its rate over time, from all processes together", async () => {
    const { app, addApp, clients, clock, endpointId, receiver } = await setupDeliveries(100);
    const other = await addApp();
    await clients.webhook.updateEndpoint({ id: endpointId, url: receiver.url, maxPerSecond: 20 });
    let claimed = await claim(app);
    expect(claimed).toBe(10); // half a second's worth was saved up
    for (let step = 0; step < 10; step++) {
      clock.advance(100);
      claimed += (await claim(app)) + (await claim(other));
    }
    expect(claimed).toBe(30);
  });
});

describe("an endpoint with max_in_flight", () => {
  test("has no more on their way, from two processes that claim at the same time", async () => {
    const { app, addApp, clients, clock, endpointId, receiver } = await setupDeliveries(100);
    const other = await addApp();
    await clients.webhook.updateEndpoint({ id: endpointId, url: receiver.url, maxInFlight: 3 });
    const counts = await Promise.all([app, other, app, other].map(claim));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3);
    clock.advance(app.config.deliveryLeaseMs); // all are lost
    expect(await claim(app)).toBe(3);
  });

  test("gets everything, three at a time", async () => {
    const { app, clients, endpointId, receiver } = await setupDeliveries(20);
    await clients.webhook.updateEndpoint({ id: endpointId, url: receiver.url, maxInFlight: 3 });
    let open = 0;
    let most = 0;
    receiver.behave((response) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open--;
        response.end();
      });
    });
    for (let sent = 0; sent < 20; ) sent += await deliver(app);
    expect(receiver.got).toHaveLength(20);
    expect(most).toBeLessThanOrEqual(3);
  });
});

test("caps are shown, kept by a change that does not name them, and taken away by 0", async () => {
  const { clients, endpointId, receiver } = await setupDeliveries(0);
  const { url } = receiver;
  const update = async (caps: { maxPerSecond?: number; maxInFlight?: number }) =>
    (await clients.webhook.updateEndpoint({ id: endpointId, url, ...caps })).endpoint;
  expect(await update({ maxPerSecond: 5, maxInFlight: 2 })).toMatchObject({ maxPerSecond: 5, maxInFlight: 2 });
  expect(await update({})).toMatchObject({ maxPerSecond: 5, maxInFlight: 2 });
  expect(await update({ maxInFlight: 0 })).toMatchObject({ maxPerSecond: 5, maxInFlight: 0 });
  const made = await clients.webhook.createEndpoint({ url, maxInFlight: 7 });
  expect(made.endpoint).toMatchObject({ maxPerSecond: 0, maxInFlight: 7 });
});
