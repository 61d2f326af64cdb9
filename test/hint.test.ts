import type { ServerResponse } from "node:http";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import type { App } from "../server/app.ts";
import { type Clock, systemClock } from "../server/clock.ts";
import { type Db, inTenant, leaveWork } from "../server/db/database.ts";
import { createHints } from "../server/hint.ts";
import { createLog } from "../server/log.ts";
import { startWorker } from "../server/worker.ts";
import { type Harness, setup } from "./support/harness.ts";
import { type Receiver, startReceiver } from "./support/receiver.ts";
import { stageEvents, times } from "./webhook/stage-events.ts";

const HOUR = 3_600_000;
const never = { pollMs: HOUR, emulator: true };

/** A clock on which no time passes until the test says so. */
class StandingClock implements Clock {
  #waiting: (() => void)[] = [];
  now = () => new Date(0);
  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      signal?.addEventListener("abort", () => resolve());
    });
  }
  async pass(): Promise<void> {
    for (const resolve of this.#waiting.splice(0)) resolve();
    await settled();
  }
}

/** Lets everything run that does not wait for time. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Hints of a process, and what it tells the others, each time. */
function oneProcess(listenUrl: string | undefined = "postgres://nowhere") {
  const clock = new StandingClock();
  const told: string[] = [];
  const notify = async (_channel: string, payload: string) => void told.push(payload.split(" ")[1] ?? "");
  return { clock, told, hints: createHints({ clock, log: createLog("silent"), listenUrl, notify }) };
}

function startLoops(app: App): void {
  const worker = startWorker(app);
  onTestFinished(() => worker.close());
}

/** One event, which the loops take to the receiver. */
async function tellReceiver({ app, tenant }: Harness, receiver: Receiver): Promise<void> {
  const arrived = new Promise<void>((resolve) => {
    receiver.behave((response) => {
      response.end();
      resolve();
    });
  });
  await stageEvents(app, tenant.testId, times(1));
  await arrived;
}

/** Processes of the database server that listen, once there is one that is not `but`. */
async function listeners(ownerDb: Db, but: readonly number[] = []): Promise<number[]> {
  for (;;) {
    const { rows } = await sql<{ pid: number }>`
      select pid from pg_stat_activity
      where datname = current_database() and application_name = 'usageflow-listen'
        and query like 'listen %' and state = 'idle'`.execute(ownerDb);
    const pids = rows.map(({ pid }) => pid);
    if (pids.some((pid) => !but.includes(pid))) return pids;
  }
}

test("work that a call leaves wakes the loops of another process, which would have slept for an hour", async () => {
  const harness = await setup({ listen: true, config: never });
  const { addApp, clients } = harness;
  const receiver = await startReceiver();
  await clients.webhook.createEndpoint({ url: receiver.url });
  startLoops(await addApp({}, systemClock));
  await tellReceiver(harness, receiver);
  await tellReceiver(harness, receiver);
  expect(receiver.got).toHaveLength(2);
});

test("a listening connection that is lost is made anew, and hears again", async () => {
  const harness = await setup({ listen: true, config: never });
  const { addApp, clients, ownerDb } = harness;
  const receiver = await startReceiver();
  await clients.webhook.createEndpoint({ url: receiver.url });
  startLoops(await addApp({}, systemClock));
  const before = await listeners(ownerDb);
  await sql`select pg_terminate_backend(pid) from unnest(${before}::integer[]) as pid`.execute(ownerDb);
  await listeners(ownerDb, before);
  await tellReceiver(harness, receiver);
  expect(receiver.got).toHaveLength(1);
});

test("loops of the process that left the work wake without the database", async () => {
  const harness = await setup({ config: never });
  const { addApp, clients } = harness;
  const receiver = await startReceiver();
  await clients.webhook.createEndpoint({ url: receiver.url });
  const app = await addApp({}, systemClock);
  startLoops(app);
  await tellReceiver({ ...harness, app }, receiver);
  expect(receiver.got).toHaveLength(1);
});

test("a delivery that comes while another is under way does not wait for that one", async () => {
  const harness = await setup({ config: { ...never, deliveryTimeoutMs: HOUR, deliveryLeaseMs: 2 * HOUR } });
  const { addApp, clients, tenant } = harness;
  const hanging = await startReceiver();
  const receiver = await startReceiver();
  await clients.webhook.createEndpoint({ url: hanging.url, eventTypes: ["invoice.paid"] });
  await clients.webhook.createEndpoint({ url: receiver.url, eventTypes: ["invoice.finalized"] });
  const app = await addApp({}, systemClock);
  const hung = new Promise<ServerResponse>((resolve) => hanging.behave(resolve));
  startLoops(app);
  await stageEvents(app, tenant.testId, times(1, "invoice.paid"));
  const response = await hung;
  await tellReceiver({ ...harness, app }, receiver);
  response.end();
  expect(receiver.got).toHaveLength(1);
});

test("work is noted when it is committed, and not when it is undone", async () => {
  const { app, tenant } = await setup();
  const leave = (then: () => void) =>
    inTenant(app.db, tenant.testId, async (tx) => {
      leaveWork(tx, "deliver");
      expect(app.hints.noted("deliver")).toBe(0);
      then();
    });
  await expect(
    leave(() => {
      throw new Error("undone");
    }),
  ).rejects.toThrow("undone");
  expect(app.hints.noted("deliver")).toBe(0);
  await leave(() => {});
  expect(app.hints.noted("deliver")).toBe(1);
});

test("a thousand commits in a moment are two notifications", async () => {
  const { clock, told, hints } = oneProcess();
  for (let count = 0; count < 1_000; count++) hints.note(count % 2 === 0 ? ["deliver"] : ["dispatchEvents"]);
  await settled();
  expect(told).toEqual(["deliver"]);
  await clock.pass();
  expect(told).toEqual(["deliver", "dispatchEvents,deliver"]);
  await clock.pass();
  expect(told).toHaveLength(2);
});

test("what a sleeping loop of the same process takes at once, the others are not woken for", async () => {
  const { told, hints } = oneProcess();
  const asleep = hints.wait("deliver", hints.noted("deliver"), HOUR);
  hints.note(["deliver"]);
  await asleep;
  await settled();
  expect(told).toEqual([]);
  hints.note(["deliver"]); // it is at work now: another process may be free
  await settled();
  expect(told).toEqual(["deliver"]);
});

test("what was noted after a loop had looked ends its sleep before it begins", async () => {
  const { hints } = oneProcess(undefined);
  const seen = hints.noted("deliver");
  hints.note(["deliver"]);
  await hints.wait("deliver", seen, HOUR);
  const asleep = hints.wait("deliver", hints.noted("deliver"), HOUR).then(() => "woken");
  expect(await Promise.race([asleep, settled()])).toBeUndefined();
});
