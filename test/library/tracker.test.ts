import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { createGate } from "../../cli/library/gate.ts";
import { printing, type Rejected, type Undelivered } from "../../cli/library/report.ts";
import { createTracker, type TrackingOptions } from "../../cli/library/tracker.ts";
import { retryAfterMs, waitMs } from "../../cli/library/waits.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";
import { answer, type Behaviour, startReceiver } from "../support/receiver.ts";

const event = { metric: "API_CALL", amount: 1, customerId: "user_123" };

/** A server that accepts all, and a tracker of it. What it was sent is `sent`, a list of keys for each request. */
async function start(options: TrackingOptions & { url?: string; apiKey?: string } = {}) {
  const receiver = await startReceiver();
  receiver.behave(accept);
  const told = { rejected: [] as Rejected[], undelivered: [] as Undelivered[] };
  const tracker = createTracker({
    ...{ url: new URL(receiver.url).origin, apiKey: "uf_test_1", retryWaits: { firstMs: 1, maxMs: 2 } },
    onRejected: (rejected) => told.rejected.push(...rejected),
    onUndelivered: (undelivered) => told.undelivered.push(...undelivered),
    ...options,
  });
  onTestFinished(async () => void (await tracker.close({ timeoutMs: 0 })));
  const sent = () =>
    receiver.got.map(({ body }) => (JSON.parse(body) as (typeof event)[]).map(({ amount }) => Number(amount)));
  return { receiver, tracker, told, sent };
}

const accept: Behaviour = (response, { body }) => {
  const results = JSON.parse(body).map(() => ({ outcome: "accepted" }));
  response.writeHead(200).end(JSON.stringify({ results }));
};

describe("batches", () => {
  test("are sent when they have so many events, or so many bytes, in the order in which events were tracked", async () => {
    const many = await start({ batchEventsMax: 2, inFlightMax: 1 });
    for (const amount of [1, 2, 3, 4, 5]) many.tracker.track({ ...event, amount });
    await many.tracker.flush();
    expect(many.sent()).toEqual([[1, 2], [3, 4], [5]]);
    const large = await start({ batchBytesMax: 400, inFlightMax: 1 });
    for (const amount of [1, 2, 3]) large.tracker.track({ ...event, amount, properties: { x: "x".repeat(150) } });
    await large.tracker.flush();
    expect(large.sent()).toEqual([[1], [2], [3]]);
  });

  test("are sent when their first event has waited long enough, and not before", async () => {
    const { tracker, receiver, sent } = await start({ batchWaitMs: 1 });
    tracker.track(event);
    expect(receiver.got).toEqual([]);
    tracker.track(event);
    await expect.poll(() => tracker.tally.accepted).toBe(2);
    expect(sent()).toEqual([[1, 1]]);
  });

  test("keep what was tracked: the key, and what the caller's object held then", async () => {
    const { tracker, receiver } = await start();
    const given = { ...event, amount: 12345678901234567890n, occurredAt: new Date(0), properties: { a: "1" } };
    const { idempotencyKey } = tracker.track(given);
    given.properties.a = "2";
    receiver.behave((response, request) => {
      receiver.behave(accept);
      answer(503)(response, request);
    });
    await tracker.flush();
    const expected = `[{"metric":"API_CALL","amount":"12345678901234567890","customerId":"user_123","idempotencyKey":"${idempotencyKey}","occurredAt":"1970-01-01T00:00:00.000Z","properties":{"a":"1"}}]`;
    expect(receiver.got.map(({ body }) => body)).toEqual([expected, expected]);
    expect(receiver.got[0]?.headers.authorization).toBe("Bearer uf_test_1");
  });

  test("are made again no sooner than the server asks, and nothing else is sent meanwhile", async () => {
    const { tracker, receiver } = await start({ batchEventsMax: 1, inFlightMax: 1 });
    const at: number[] = [];
    receiver.behave((response, request) => {
      at.push(performance.now());
      if (at.length === 1) answer(429, "", { "retry-after": "1" })(response, request);
      else accept(response, request);
    });
    for (let count = 0; count < 4; count++) tracker.track(event);
    await tracker.flush();
    expect(tracker.tally.accepted).toBe(4);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(990);
  });

  test("that hold what no server can read are halved until the rest is through", async () => {
    const { api, clients, tenant } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    const { tracker, told } = await start({ url: api.url, apiKey: tenant.testKey, batchBytesMax: 10_000_000 });
    for (let amount = 0; amount < 20; amount++) {
      tracker.track(amount === 7 ? { ...event, amount, customerId: "x".repeat(5_000_000) } : { ...event, amount });
    }
    await tracker.close();
    expect(tracker.tally).toMatchObject({ accepted: 19, undelivered: 1 });
    expect(told.undelivered).toMatchObject([{ event: { amount: "7" }, error: { kind: "refused", status: 413 } }]);
  });
});

describe("back-pressure", () => {
  test("refuses at once what the queue has no room for, and tells of it", async () => {
    const { tracker, told } = await start({ queueEventsMax: 2 });
    expect([1, 2, 3].map(() => tracker.track(event).queued)).toEqual([true, true, false]);
    expect(told.undelivered).toMatchObject([{ error: { kind: "queue_full" }, maybeStored: false }]);
    await tracker.flush();
    expect(tracker.track(event).queued).toBe(true);
    const narrow = await start({ queueBytesMax: 200 });
    expect([1, 2].map(() => narrow.tracker.track(event).queued)).toEqual([true, false]);
  });

  test("has who would rather wait wait, in order, and lets go of them when it closes", async () => {
    const { tracker, sent, receiver } = await start({ queueEventsMax: 2, batchEventsMax: 1, inFlightMax: 1 });
    const all = Array.from({ length: 10 }, (_, amount) => tracker.trackWhenRoom({ ...event, amount }));
    expect((await Promise.all(all)).every(({ queued }) => queued)).toBe(true);
    await tracker.flush();
    expect(sent().flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    receiver.behave(answer(503));
    tracker.track(event);
    tracker.track(event);
    const waiting = tracker.trackWhenRoom(event);
    const tally = await tracker.close({ timeoutMs: 0 });
    expect(await waiting).toMatchObject({ queued: false, error: { kind: "closed" } });
    expect(tally).toMatchObject({ accepted: 10, undelivered: 3, pending: 0 });
  });
});

describe("what is not delivered", () => {
  test("is told with the server's reason, at once when trying again is in vain", async () => {
    const { api } = await setup();
    const { tracker, told } = await start({ url: api.url });
    tracker.track({ ...event, idempotencyKey: "a" });
    await tracker.flush();
    const [lost] = told.undelivered;
    expect(lost).toMatchObject({
      event: { ...event, amount: "1", idempotencyKey: "a" },
      error: { kind: "refused", status: 401, reason: "KEY_MALFORMED" },
      maybeStored: false,
    });
    expect(lost?.error.requestId).not.toBe("");
  });

  test("is given up after the time that it is tried for, and may be stored when no answer came", async () => {
    const { tracker, told, receiver } = await start({ retryForMs: 0 });
    receiver.behave((response) => response.destroy());
    tracker.track(event);
    await tracker.flush();
    for (const status of [429, 503]) {
      receiver.behave(answer(status));
      tracker.track(event);
      await tracker.flush();
    }
    expect(told.undelivered).toMatchObject([
      { error: { kind: "gave_up", status: undefined }, maybeStored: true },
      { error: { kind: "gave_up", status: 429 }, maybeStored: false },
      { error: { kind: "gave_up", status: 503 }, maybeStored: true },
    ]);
  });

  test("is told of what is tracked after the end, and a listener that fails stops nothing", async () => {
    const { tracker } = await start({
      onUndelivered: () => {
        throw new Error("the listener's own");
      },
    });
    {
      await using closing = tracker;
      closing.track(event);
    }
    expect(tracker.track(event)).toMatchObject({ queued: false, error: { kind: "closed" } });
    expect(await tracker.close()).toEqual({
      ...{ tracked: 2, accepted: 1, duplicate: 0, rejected: 0, undelivered: 1, pending: 0 },
    });
  });

  test("is printed where nobody listens, in few lines", () => {
    const lines: string[] = [];
    const { onRejected } = printing((line) => lines.push(line));
    for (let count = 0; count < 1_000; count++) onRejected([{ message: "no such metric" } as Rejected]);
    expect(lines).toEqual(["usageflow: 1 usage events rejected, the last because: no such metric"]);
  });
});

test("an event without a time gets this machine's with a live key, and the tenant's clock has its say with a test key", async () => {
  const { receiver } = await start();
  const url = new URL(receiver.url).origin;
  const cases = [
    { apiKey: "uf_live_1" },
    { apiKey: "uf_test_1" },
    { apiKey: "uf_test_1", occurredAt: "tracked" as const },
    { accessToken: "uf_pat_1", tenant: "live" },
    { accessToken: "uf_pat_1", tenant: "test" },
  ];
  for (const one of cases) {
    await using tracker = createTracker({ url, ...one });
    tracker.track(event);
  }
  const times = receiver.got.map(({ body }) => typeof JSON.parse(body)[0].occurredAt);
  expect(times).toEqual(["string", "undefined", "string", "string", "undefined"]);
  expect(receiver.got.map(({ headers }) => headers["x-usageflow-tenant"] ?? "")).toEqual(["", "", "", "live", "test"]);
});

test("a tracker cannot be made without an address and a key", () => {
  for (const wrong of [
    { url: "", apiKey: "a" },
    { url: "ftp://a", apiKey: "a" },
    { url: "http://a", apiKey: "" },
  ]) {
    expect(() => createTracker(wrong)).toThrow(TypeError);
  }
});

test("requests that fail together are one failure, and all of them wait; whoever closes waits no more", async () => {
  const began = performance.now();
  const gate = createGate({ firstMs: 20, maxMs: 1_000_000 });
  for (let request = 0; request < 100; request++) gate.failed(began, undefined);
  await Promise.all([gate.wait(new AbortController().signal), gate.wait(new AbortController().signal)]);
  expect(performance.now() - began).toBeGreaterThan(9);
  gate.failed(performance.now(), 1_000_000);
  await gate.wait(AbortSignal.abort());
});

test("waits double up to the longest, and what a server asks for is a number of seconds or a date", () => {
  const waits = { firstMs: 100, maxMs: 1_000 };
  expect([1, 2, 3, 4, 5, 5_000].map((failures) => waitMs(failures, waits, 1))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ]);
  expect(waitMs(1, waits, 0)).toBe(50);
  expect(
    ["3", "Thu, 01 Jan 1970 00:00:09 GMT", "soon", "", undefined].map((text) => retryAfterMs(text, 2_000)),
  ).toEqual([...[3_000, 7_000, undefined, undefined, undefined]]);
});

describe("a process that ends", () => {
  const tracker = new URL("../../cli/library/tracker.ts", import.meta.url).pathname;
  const run = async (url: string, code: string) => {
    const options = `{ url: ${JSON.stringify(url)}, apiKey: "uf_test_1", batchWaitMs: 20, closeOnSignals: ["SIGTERM"], onUndelivered: (lost) => console.log(...lost.map((one) => one.error.kind)) }`;
    const program = `import { createTracker } from ${JSON.stringify(tracker)};
      const tracker = createTracker(${options});
      tracker.track(${JSON.stringify(event)});\n${code}`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    return { child, ended: once(child, "close"), said: printed(child) };
  };

  test("by itself sends what it has first", async () => {
    const { receiver } = await start();
    const { ended } = await run(new URL(receiver.url).origin, "");
    expect(await ended).toEqual([0, null]);
    expect(receiver.got).toHaveLength(1);
  });

  test("by process.exit tells what was not sent", async () => {
    const { receiver } = await start();
    const { ended, said } = await run(new URL(receiver.url).origin, "process.exit(3)");
    expect(await ended).toEqual([3, null]);
    expect([said(), receiver.got]).toEqual(["exit\n", []]);
  });

  test("by a signal closes first, if it was told to, and ends by the signal", async () => {
    const { receiver } = await start();
    const { child, ended, said } = await run(
      new URL(receiver.url).origin,
      'setInterval(() => {}, 1000); tracker.flush().then(() => { tracker.track({ metric: "LAST", customerId: "a" }); console.log("ready"); });',
    );
    await expect.poll(said, { timeout: 60_000 }).toBe("ready\n");
    child.kill("SIGTERM");
    expect(await ended).toEqual([null, "SIGTERM"]);
    expect(receiver.got.at(-1)?.body).toContain("LAST");
  });
});

function printed({ stdout }: ChildProcess): () => string {
  let text = "";
  stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
