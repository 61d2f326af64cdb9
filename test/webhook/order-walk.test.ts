import { expect, test } from "vitest";
import { type Delivery, DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { replayDeliveries } from "../../server/webhook/replay-deliveries.ts";
import { refused } from "../support/refused.ts";
import { seeded } from "../support/seeded.ts";
import { disorder, HOUR, setupOrdered, short } from "./ordered.ts";
import { stageEventsOf } from "./stage-events.ts";

const { FAILED, PENDING } = DeliveryState;
const STEPS = 25;
const TRIES = 3;

type Ordered = Awaited<ReturnType<typeof setupOrdered>>;

/** What somebody may do, or what may happen, and how often. Some are refused: then nothing happens. */
function stepsOf(harness: Ordered, below: (n: number) => number, toggles: boolean, byHand: string[]) {
  const { app, clients, clock, endpointId: id, list, receiver, tenant } = harness;
  const { webhook } = clients;
  const any = async (): Promise<string> => {
    const deliveries = await list();
    const id = deliveries[below(Math.max(1, deliveries.length))]?.id ?? "whd_0000000000000000000001";
    byHand.push(id);
    return id;
  };
  const customers = () => Array.from({ length: 1 + below(4) }, () => "aab-".charAt(below(4)).replace("-", ""));
  const steps: [number, () => Promise<unknown>][] = [
    [6, () => stageEventsOf(app, tenant.testId, customers())],
    [6, () => dispatchEvents(app, [fanOut(app)])],
    [4, async () => clock.advance(below(2 * HOUR))],
    [4, async () => webhook.skipDelivery({ id: await any() })],
    [3, async () => webhook.retryDelivery({ id: await any() })],
    [1, async () => webhook.resendEvent({ eventId: (await list())[0]?.eventId ?? "", endpointId: id })],
    [1, () => webhook.sendTestEvent({ endpointId: id })],
    [1, () => webhook.pauseEndpoint({ id })],
    [3, () => webhook.resumeEndpoint({ id })],
    [1, () => webhook.createReplay({ endpointId: id, deliveryStates: below(2) ? [FAILED, PENDING] : [FAILED] })],
    [3, () => replayDeliveries(app)],
    [toggles ? 3 : 0, () => webhook.updateEndpoint({ id, url: receiver.url, ordered: below(2) === 1 })],
  ];
  const deck = steps.flatMap(([times, step]) => Array.from({ length: times }, () => step));
  return () => deck[below(deck.length)] as () => Promise<unknown>;
}

/** Walks: several things at a time, between them two workers that deliver; the receiver takes about half, or is gone. */
async function walk(seed: number, toggles: boolean) {
  const below = seeded(seed);
  const harness = await setupOrdered({ deliveryScheduleMs: [0, HOUR / 2, HOUR] }, !toggles);
  const { app, addApp, clients, clock, drain, endpointId: id, list, receiver } = harness;
  const other = await addApp();
  const taken: string[] = [];
  receiver.behave((response, request) => {
    const status = below(40) === 0 ? 410 : below(2) === 0 ? 500 : 204;
    if (status === 204) taken.push(short(request));
    response.writeHead(status).end();
  });
  const begunAnew = new Set<bigint>(); // after they were over: out of their order
  let before: Delivery[] = [];
  const look = async () => {
    const now = await list();
    for (const one of now) {
      const last = before.find(({ id }) => id === one.id);
      const wasOver = last && last.state !== PENDING && last.attemptCount < one.attemptCount;
      const twice = byHand.filter((id) => id === one.id).length > 1;
      if (wasOver || twice || one.attemptCount > TRIES) begunAnew.add(one.sequence);
    }
    before = now;
    return now;
  };
  const byHand: string[] = [];
  const step = stepsOf(harness, below, toggles, byHand);
  for (let at = 0; at < STEPS; at++) {
    await Promise.all([...Array.from({ length: 1 + below(3) }, () => refused(step()())), deliver(app), deliver(other)]);
    expect(await disorder(harness), `seed ${seed}, step ${at}`).toEqual([]);
    await look();
  }
  receiver.behave((response, request) => {
    taken.push(short(request));
    response.writeHead(204).end();
  });
  await clients.webhook.resumeEndpoint({ id });
  for (let hours = 0; hours < 4; hours++) {
    await drain();
    clock.advance(HOUR * 1.2);
  }
  return { taken: [...new Set(taken)], begunAnew, end: await look() };
}

test.each([1, 2, 3])(
  "whatever happens, each customer's deliveries arrive in order and none waits for ever (walk %i)",
  async (seed) => {
    const { taken, begunAnew, end } = await walk(seed, false);
    expect(end.filter(({ state }) => state === PENDING)).toEqual([]);
    for (const customer of ["a", "b"]) {
      const arrived = taken
        .filter((message) => message.startsWith(customer))
        .map((message) => BigInt(message.slice(1)))
        .filter((sequence) => !begunAnew.has(sequence));
      expect(arrived).toEqual(arrived.toSorted((a, b) => Number(a - b)));
    }
  },
);

test.each([4, 5])("none waits for ever when order is asked for and not, again and again (walk %i)", async (seed) => {
  const { end } = await walk(seed, true);
  expect(end.filter(({ state }) => state === PENDING)).toEqual([]);
});
