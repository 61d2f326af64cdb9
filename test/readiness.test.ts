import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../gen/grpc/health/v1/health_pb.ts";
import { UsageService } from "../gen/usageflow/v1/usage_service_pb.ts";
import { startApi, startHealthPort } from "../server/api.ts";
import { createApp } from "../server/app.ts";
import { type LoopBody, startLoop } from "../server/loop.ts";
import { createReadinessCheck } from "../server/readiness.ts";
import { type Harness, setup } from "./support/harness.ts";

const { SERVING, NOT_SERVING } = Status;

/** An API beside loops of the test's own. */
async function startWith({ app }: Harness, bodies: Record<string, LoopBody["runOnce"]>, shutdownDelayMs = 0) {
  const own = { ...app, config: { ...app.config, shutdownDelayMs } };
  const loops = Object.entries(bodies).map(([name, runOnce]) => startLoop(own, name, { runOnce }));
  const readiness = createReadinessCheck(own, () => loops.map((loop) => loop.report()));
  const api = await startApi(own, readiness);
  onTestFinished(async () => {
    await Promise.all([api.close(), ...loops.map((loop) => loop.close())]);
  });
  const health = createClient(Health, createGrpcTransport({ baseUrl: api.url }));
  return {
    ...{ api, health, own },
    ready: () => readyz(api.url),
    status: async (service = "") => (await health.check({ service })).status,
  };
}

async function readyz(url: string): Promise<{ code: number; body: { status: string; reasons: string[] } }> {
  const response = await fetch(`${url}/readyz`);
  return { code: response.status, body: (await response.json()) as { status: string; reasons: string[] } };
}

test("a process is not ready while a loop hangs or always fails, and says which; its services still serve", async () => {
  const harness = await setup();
  const { app, clock } = harness;
  let release = () => {};
  const hung = new Promise<number>((resolve) => {
    release = () => resolve(0);
  });
  let broken = true;
  const asking = async () => {
    await sql`select 1`.execute(app.workerDb);
    return 1;
  };
  const { ready, status, health } = await startWith(harness, {
    hangs: () => hung,
    lasts: asking,
    fails: async () => {
      if (broken) throw new Error("of this loop");
      return 0;
    },
  });
  await expect
    .poll(async () => (await ready()).body.reasons)
    .toEqual([expect.stringMatching(/^the loop fails has failed \d+ times in a row$/)]);
  clock.advance(app.config.loopStallMs + 60_000);
  await expect
    .poll(async () => (await ready()).body.reasons)
    .toEqual([
      "the loop hangs hangs: it has shown no sign of life for 360 s",
      expect.stringMatching(/^the loop fails/),
    ]);
  expect(await ready()).toMatchObject({ code: 503, body: { status: "not_ready", version: expect.any(String) } });
  expect([await status(), await status(UsageService.typeName)]).toEqual([NOT_SERVING, SERVING]);
  const seen = health.watch({});
  const first = await seen[Symbol.asyncIterator]().next();
  expect(first.value?.status).toBe(NOT_SERVING);
  broken = false;
  release();
  await expect.poll(async () => (await ready()).code).toBe(200);
  expect(await status()).toBe(SERVING);
});

test("a process serves on beside a newer schema, and not on an older one; none starts on another", async () => {
  const harness = await setup();
  const { app, ownerDb } = harness;
  const { ready, status } = await startWith(harness, {});
  const start = () => createApp(app.config).then(() => "started", String);
  await sql`insert into schema_migration (name, timestamp) values ('9999_later', '')`.execute(ownerDb);
  expect(await ready()).toMatchObject({ code: 200, body: { schema: "9999_later" } });
  expect(await start()).toMatch(/migrations of a newer server \(9999_later\): install that version/);
  await sql`delete from schema_migration where name >= '0056'`.execute(ownerDb);
  expect(await ready()).toMatchObject({
    code: 503,
    body: { reasons: [expect.stringMatching(/lacks \d+ migrations, from 0056\w+: run "usageflow migrate"/)] },
  });
  expect([await status(), await status(UsageService.typeName)]).toEqual([NOT_SERVING, NOT_SERVING]);
  expect(await start()).toMatch(/lacks migrations \(0056.*run "usageflow migrate"/);
});

test("a process that stops says so first, still takes calls for a moment, and ends watching clients", async () => {
  const harness = await setup();
  const { api, ready, status, health, own } = await startWith(harness, {}, 300);
  const watched: Status[] = [];
  const watching = (async () => {
    for await (const { status } of health.watch({})) watched.push(status);
  })();
  await expect.poll(() => watched).toEqual([SERVING]);
  const closed = api.close();
  expect(await ready()).toMatchObject({ code: 503, body: { status: "stopping" } });
  expect([await status(), await status(UsageService.typeName)]).toEqual([NOT_SERVING, NOT_SERVING]);
  const late = await fetch(`${api.url}/healthz`);
  expect([late.status, late.headers.get("connection")]).toEqual([200, "close"]);
  await Promise.all([watching, closed]);
  expect(watched).toEqual([SERVING, NOT_SERVING]);
  expect(own.config.shutdownDelayMs).toBe(300);
});

test("a worker without API has health on a port of its own, and nothing else", async () => {
  const { app } = await setup();
  const worker = { ...app, config: { ...app.config, healthPort: 0 } };
  const port = await startHealthPort(worker, createReadinessCheck(worker));
  onTestFinished(async () => port?.close());
  const url = port?.url ?? "";
  expect(await readyz(url)).toMatchObject({ code: 200, body: { status: "ready" } });
  const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
  expect(await health.check({})).toMatchObject({ status: SERVING });
  const tracked = await fetch(`${url}/api/track`, { method: "POST", body: "{}" });
  expect(tracked.status).toBe(404);
  expect(await startHealthPort(app, createReadinessCheck(app))).toBeUndefined();
});
