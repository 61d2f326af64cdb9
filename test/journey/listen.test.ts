import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { createPlace } from "../cli/run-cli.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { startFleet } from "../support/fleet.ts";
import { setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { ended } from "../support/usageflow.ts";
import { stageEvents, times } from "../webhook/stage-events.ts";

// Listening while everything breaks: the network, the server, the client, and what it forwards to.

const CUSTOMERS = 20;
/** Parts after which something breaks. */
const PARTS = 6;
const ROUND = PARTS * CUSTOMERS;
/** As many as are asked for, in whole rounds. */
const EVENTS = ROUND * Math.ceil(Number(process.env.USAGEFLOW_TEST_EVENTS ?? ROUND) / ROUND);

test(`${EVENTS} events are forwarded, none missing and in order, though all that can break does`, {
  timeout: EVENTS * 60 + 60_000,
}, async () => {
  const harness = await setup();
  const { app, clients, tenant } = harness;
  const fleet = await startFleet(harness, 1, { USAGEFLOW_RETRY_SCHEDULE_SECONDS: "1,1,1,1,1" });
  const proxy = await startCuttingProxy(() => fleet.url(0));
  const receiver = await startReceiver();
  const taken: { customer: string; sequence: number }[] = [];
  const refusedOnce = new Set<string>();
  let brokenOrder = "";
  receiver.behave((response, { body }) => {
    const { sequence, data } = JSON.parse(body);
    const [customer, number] = [data.invoice.customerId, Number(sequence)];
    const last = taken.findLast((one) => one.customer === customer)?.sequence ?? 0;
    // What comes twice is fine; what comes before the one before it was taken is not.
    if (number > last && !refusedOnce.has(sequence) && number - last > CUSTOMERS)
      brokenOrder ||= `${number} after ${last}`;
    if (number % 97 === 0 && !refusedOnce.has(sequence)) {
      refusedOnce.add(sequence);
      response.writeHead(500).end();
      return;
    }
    if (number > last) taken.push({ customer, sequence: number });
    response.writeHead(204).end();
  });
  const { start } = await createPlace();
  const env = { USAGEFLOW_URL: proxy.url, USAGEFLOW_API_KEY: tenant.testKey };
  const listen = () => start(["listen", "--forward-to", receiver.url, "--name", "laptop", "--ordered", "--json"], env);
  let client = listen();
  const said = [text(client.stdout)];
  const isListening = async () => (await clients.webhook.listEndpoints({})).endpoints.length > 0;
  await expect.poll(isListening, { timeout: 60_000 }).toBe(true);

  const breaks = [
    () => proxy.cut(),
    () => fleet.kill("api", 0),
    async () => {
      client.kill("SIGKILL");
      await ended(client);
      client = listen();
      said.push(text(client.stdout));
    },
    () => fleet.kill("worker", 0),
    async () => {
      proxy.cut();
      await fleet.kill("api", 0);
      proxy.cut();
    },
    () => {},
  ];
  for (let part = 0; part < PARTS; part++) {
    for (let at = 0; at < EVENTS / PARTS; at += CUSTOMERS) await stageEvents(app, tenant.testId, times(CUSTOMERS));
    const wanted = Math.floor(((part + 0.5) * EVENTS) / PARTS);
    await expect.poll(() => taken.length, { timeout: 60_000 + EVENTS * 30 }).toBeGreaterThanOrEqual(wanted);
    await breaks[part]?.();
  }
  await expect.poll(() => taken.length, { timeout: 60_000 + EVENTS * 30 }).toBe(EVENTS);
  const pending = async () => (await clients.webhook.listDeliveries({ state: 1, pageSize: 1 })).deliveries.length;
  await expect.poll(pending, { timeout: 60_000 }).toBe(0);
  client.kill("SIGINT");
  expect(await ended(client)).toBe(130);

  expect(brokenOrder).toBe("");
  expect(taken.map(({ sequence }) => sequence).sort((a, b) => a - b)).toEqual(
    Array.from({ length: EVENTS }, (_, at) => at + 1),
  );
  const lines = (await Promise.all(said))
    .flatMap((output) => output.trim().split("\n"))
    .map((line) => JSON.parse(line));
  const count = (type: string) => lines.filter((line) => line.type === type).length;
  expect(count("reconnecting")).toBeGreaterThanOrEqual(3);
  expect(count("ready")).toBeGreaterThanOrEqual(4);
});
