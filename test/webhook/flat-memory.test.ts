import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createPost } from "../../server/webhook/webhook-client.ts";
import { breaking, hanging, overflowing } from "../support/misbehaving.ts";

// Receivers that misbehave leave nothing behind, however often they do: no connection, no timer, no memory. All of them are
// tried a few times, and then many times more.

const ROUNDS = { few: 3, more: 12 };
// Less than any of them makes us read: a body's 64 KiB, or headers beyond 16 KiB.
const LEFT_BY_ONE_BYTES_MAX = 16 * 1024;

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

test("receivers that misbehave leave nothing behind", async () => {
  const post = createPost({ emulator: true, deliveryAllowedCidrs: [], deliveryTimeoutMs: 50 });
  const starts = Object.values({ ...hanging, ...breaking, ...overflowing });
  const urls = await Promise.all(starts.map((start) => start()));
  let failed = 0;
  const round = async () => {
    const outcomes = await Promise.all(urls.map((url) => post(url, {}, "{}")));
    failed += outcomes.filter(({ failure }) => failure).length;
  };
  const idle = resources();
  for (let count = 0; count < ROUNDS.few; count++) await round();
  while (resources() > idle) await setImmediate(); // hangs if a connection or a timer stays
  const before = await bytesHeld();
  for (let count = 0; count < ROUNDS.more; count++) await round();
  while (resources() > idle) await setImmediate();
  expect(((await bytesHeld()) - before) / (ROUNDS.more * urls.length)).toBeLessThan(LEFT_BY_ONE_BYTES_MAX);
  expect(failed).toBeGreaterThan(0);
});

/** How many connections, servers and timers this process has. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;
}

/** What is left when nothing more is let go: buffers go a turn after the objects that held them. */
async function bytesHeld(): Promise<number> {
  for (let times = 0; times < 5; times++) {
    collectGarbage();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
