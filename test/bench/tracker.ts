import { createClient } from "../../cli/library/client.ts";
import { createTracker } from "../../cli/library/tracker.ts";
import type { Asked } from "./delivery-scenarios.ts";

// What a program gains by tracking instead of calling: the same events to the same server, from one process, once by a call
// for each, as many at a time as the bench has connections, and once by a tracker. The program's own work is in both.

const NAMES = { fetch: "tracker against fetch, a call for each event", client: "tracker against the client's calls" };
const IN_FLIGHT = 64;
const REACH = 5;

let series = 0;

/** Events that were accepted, in how many milliseconds, and what `track` itself took of the caller's time. */
interface Sent {
  accepted: number;
  ms: number;
  microsecondsPerTrack?: number;
}

/** Runs the scenarios that were asked for. */
export async function benchTracker(url: string, apiKey: string, asked: Asked): Promise<void> {
  const { rounds, ms, json } = asked;
  const ways = { fetch: fetching(url, apiKey), client: calling(url, apiKey) };
  for (const [way, name] of Object.entries(NAMES)) {
    if (!name.includes(asked.only)) continue;
    const pairs: { floor: Sent; ours: Sent }[] = [];
    for (let round = 0; round < rounds; round++) {
      pairs.push({ floor: await callEach(ways[way as keyof typeof ways], ms), ours: await track(url, apiKey, ms) });
    }
    const ratioOf = ({ floor, ours }: { floor: Sent; ours: Sent }) => rateOf(ours) / rateOf(floor);
    const sorted = pairs.toSorted((a, b) => ratioOf(a) - ratioOf(b));
    const { floor, ours } = sorted[Math.floor(rounds / 2)] as (typeof pairs)[0];
    const ratio = ratioOf({ floor, ours });
    const facts = { scenario: name, ratio, reach: REACH, ratios: sorted.map(ratioOf), ours, floor };
    const text =
      `${name.padEnd(28)} ratio ${ratio.toFixed(1)} (reach ${REACH}; ${facts.ratios.map((one) => one.toFixed(1)).join(", ")})\n` +
      `  ours  ${rateOf(ours).toFixed(0).padStart(6)}/s  ${ours.microsecondsPerTrack?.toFixed(1)} µs in track() itself\n` +
      `  floor ${rateOf(floor).toFixed(0).padStart(6)}/s\n`;
    process.stdout.write(json ? `${JSON.stringify(facts)}\n` : text);
  }
}

const rateOf = ({ accepted, ms }: Sent) => (accepted / ms) * 1_000;

type CallOne = (key: string, number: number) => Promise<void>;

function fetching(url: string, apiKey: string): CallOne {
  return async (idempotencyKey, number) => {
    const response = await fetch(`${url}/api/track`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-usageflow-api-key": apiKey },
      body: JSON.stringify({ ...eventOf(number), amount: 1, idempotencyKey }),
    });
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    await response.text();
  };
}

function calling(url: string, apiKey: string): CallOne {
  const { usage } = createClient({ url, apiKey });
  return async (idempotencyKey, number) => {
    await usage.trackUsage({ events: [{ ...eventOf(number), amount: "1", idempotencyKey }] });
  };
}

async function callEach(call: CallOne, ms: number): Promise<Sent> {
  const prefix = `plain-${process.pid}-${series++}-`;
  const began = performance.now();
  let accepted = 0;
  const one = async () => {
    while (performance.now() - began < ms) {
      const number = accepted++;
      await call(`${prefix}${number}`, number);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  return { accepted, ms: performance.now() - began };
}

async function track(url: string, apiKey: string, ms: number): Promise<Sent> {
  const tracker = createTracker({ url, apiKey, queueEventsMax: 10_000 });
  const began = performance.now();
  let number = 0;
  while (performance.now() - began < ms) {
    const receipt = await tracker.trackWhenRoom({ ...eventOf(number), amount: 1 });
    if (!receipt.queued) throw receipt.error;
    number++;
  }
  const { accepted, tracked } = await tracker.close({ timeoutMs: 60_000 });
  if (accepted !== tracked) throw new Error(`${tracked} tracked and ${accepted} accepted`);
  return { accepted, ms: performance.now() - began, microsecondsPerTrack: await timeTrack(url, apiKey) };
}

/** What `track` costs a caller, with nothing sent meanwhile. */
async function timeTrack(url: string, apiKey: string): Promise<number> {
  const count = 10_000;
  const tracker = createTracker({ url, apiKey });
  const began = performance.now();
  for (let number = 0; number < count; number++) tracker.track({ ...eventOf(number), amount: 1 });
  const took = performance.now() - began;
  await tracker.close({ timeoutMs: 60_000 });
  return (took / count) * 1_000;
}

function eventOf(number: number) {
  return { metric: "API_CALL", customerId: `user_${number % 1_000}` };
}
