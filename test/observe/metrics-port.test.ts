import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import type { App } from "../../server/app.ts";
import { openDatabase } from "../../server/db/database.ts";
import { createObserver } from "../../server/observe/create-observer.ts";
import { watchProcess } from "../../server/observe/gauges.ts";
import { startMetricsPort } from "../../server/observe/metrics-port.ts";
import { unobserved } from "../../server/observe/observer.ts";
import { setup } from "../support/harness.ts";
import { readScrape, sumOf } from "../support/scrape.ts";

const TOKEN = "a-token-of-the-operator";
const ask = async (url: string, authorization?: string) => {
  const response = await fetch(url, authorization ? { headers: { authorization } } : {});
  return { status: response.status, text: await response.text(), type: response.headers.get("content-type") };
};
const port = async (app: App) => {
  const opened = await startMetricsPort(app);
  if (!opened) throw new Error("no port");
  onTestFinished(opened.close);
  return opened.url;
};

test("the port of the API answers metrics to who has the token, and has none where there is no token", async () => {
  const { api, tenant } = await setup({ config: { metricsToken: TOKEN } });
  const url = `${api.url}/metrics`;
  expect(await ask(url, `Bearer ${TOKEN}`)).toMatchObject({
    status: 200,
    type: "text/plain; version=0.0.4; charset=utf-8",
  });
  for (const wrong of [undefined, "Bearer", `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, `Bearer ${tenant.liveKey}`]) {
    expect(await ask(url, wrong)).toMatchObject({ status: 401, text: expect.not.stringContaining("usageflow_") });
  }
  const { api: without } = await setup({ config: { metricsPort: 0 } });
  expect(await ask(`${without.url}/metrics`)).toMatchObject({ status: 404 });
});

test("a port of its own answers metrics and nothing else, open or with the token: workers have no other", async () => {
  const { app, addApp } = await setup({ config: { metricsPort: 0 } });
  const url = await port(app);
  expect(await ask(url)).toMatchObject({ status: 200, text: expect.stringContaining("usageflow_usage_lag_seconds 0") });
  expect((await ask(url.replace("/metrics", "/healthz"))).status).toBe(404);
  const guarded = await port(await addApp({ metricsToken: TOKEN }));
  expect([(await ask(guarded)).status, (await ask(guarded, `Bearer ${TOKEN}`)).status]).toEqual([401, 200]);
});

test("gauges that ask the database are missing while it does not answer, and the rest is told", async () => {
  const { app, ownerDb } = await setup({ config: { metricsPort: 0 } });
  const url = await port(app);
  await sql`alter function oldest_snapshot_seconds rename to gone`.execute(ownerDb);
  const { status, text } = await ask(url);
  expect(status).toBe(200);
  expect(text).not.toContain("\nusageflow_usage_lag_seconds");
  expect(text).toContain("\nusageflow_vitals_failures_total 1\n");
  expect(text).toContain('usageflow_database_connections_max{pool="worker"}');
});

test("where nobody listens nothing is observed, and no file but one knows of OpenTelemetry", async () => {
  const { app } = await setup();
  expect(app.observer).toBe(unobserved);
  const files = (await readdir("server", { recursive: true })).filter((name) => name.endsWith(".ts"));
  const texts = await Promise.all(files.map(async (name) => [name, await readFile(`server/${name}`, "utf8")] as const));
  const importing = (what: RegExp) => texts.filter(([, text]) => what.test(text)).map(([name]) => name);
  expect(importing(/from "@opentelemetry\//)).toEqual(["observe/open-telemetry.ts"]);
  expect(importing(/from ".*(open-telemetry|gauges)\.ts"/)).toEqual([]);
});

test("metrics are answered while the database says nothing: what it would have told is missing, and that is counted", async () => {
  const { app } = await setup({ config: { metricsToken: TOKEN } });
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { db, pool } = openDatabase({
    url: `postgres://nobody@127.0.0.1:${(silent.address() as AddressInfo).port}/none`,
    limits: { ...app.config, waitMaxMs: 0 },
    ...{ connectionsMax: 1, statementTimeoutMs: 1_000, onIdleError: () => {} },
  });
  const observer = await createObserver(app.config, app.log);
  watchProcess({ ...app, observer, workerDb: db }, { app: app.pool, worker: pool });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await Promise.all([observer.close(), db.destroy()]);
  });
  const told = readScrape(await observer.scrape());
  expect(sumOf(told, "usageflow_database_connections_max", { pool: "worker" })).toBe(1);
  expect(told.has("usageflow_usage_lag_seconds")).toBe(false);
  expect(sumOf(readScrape(await observer.scrape()), "usageflow_vitals_failures_total")).toBe(1);
});
