import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startApi } from "../../server/api.ts";
import { closeApp, createApp } from "../../server/app.ts";
import { systemClock } from "../../server/clock.ts";
import { type Config, defaults } from "../../server/config.ts";
import { appUrls, setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { type Clients, createClients } from "../support/clients.ts";
import type { Commits, LatencyLoad, LatencyTask } from "./latency-part.ts";
import type { Arrivals } from "./latency-receiver.ts";
import { stageInvoices, storeInvoices } from "./stage-invoices.ts";

// From the commit of an event to its first byte at the receiver, in an open loop: alone, and beside the noise of another
// tenant. Everything is a process of its own, on this machine.

const DATABASE = "bench_latency";
const ARRIVE_MS_MAX = 60_000;
const STAGED = 1_000; // events of one transaction

/** How long events took from their commit to the receiver. */
export interface Latency {
  count: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** A tenant of the bench. */
export interface BenchTenant {
  tenantId: string;
  clients: Clients;
}

export interface LatencyBench {
  receiverUrl: string;
  addTenant(name: string): Promise<BenchTenant>;
  /** Commits events of a tenant at a rate, and answers how long each took; in the process of the loops, or in one apart. */
  measure(tenantId: string, perSecond: number, ms: number, place: "together" | "apart"): Promise<Latency>;
  /** Stages events, and leaves it to the loops to make deliveries of them. */
  stage(tenantId: string, count: number): Promise<void>;
  /** Stages events that no loop knows of, until they are released. */
  hoard(tenantId: string, count: number): Promise<void>;
  release(tenantId: string): Promise<void>;
  /** Stages events, and makes their deliveries. */
  fanOut(tenantId: string, count: number): Promise<void>;
  /** Lets go of the requests that hang, and waits until nothing is left to send. */
  quiet(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the database, the receiver, a process that commits, and one that also sends. */
export async function openLatency(adminUrl: string, log: number): Promise<LatencyBench> {
  const url = new URL(adminUrl);
  url.pathname = `/${DATABASE}`;
  const ownerUrl = url.href;
  await query(adminUrl, `create database ${DATABASE}`);
  await migrate(ownerUrl);
  await setLoginPasswords(ownerUrl);
  const masterKey = randomBytes(32);
  const urls = appUrls(ownerUrl);
  const keys = { masterKey, keyPepper: masterKey };
  const config: Config = { ...defaults, ...urls, ...keys, port: 0, emulator: true, logLevel: "error" };
  const app = await createApp(config);
  const api = await startApi(app);
  const task = { ...urls, key: masterKey.toString("base64") };
  const receiver = await startChild("latency-receiver.ts", undefined, log);
  const together = await startChild("latency-part.ts", { ...task, worker: true }, log);
  const apart = await startChild("latency-part.ts", { ...task, worker: false }, log);
  let series = 0;

  const stage = (tenantId: string, count: number) =>
    inParts(count, (customers) => stageInvoices(app, tenantId, customers));
  return {
    receiverUrl: receiver.said as string,
    async addTenant(name) {
      const parts = { secrets: app.secrets, clock: systemClock };
      const { test } = await initOrganization(ownerUrl, parts, { name });
      return { tenantId: test.tenantId, clients: createClients(api.url, test.secret) };
    },
    async measure(tenantId, perSecond, ms, place) {
      const load: LatencyLoad = { tenantId, perSecond, ms, prefix: `${series++}_` };
      const commits = (await (place === "apart" ? apart : together).ask(load)) as Commits;
      const arrivals: Arrivals = {};
      const missing = () => Object.keys(commits).some((customer) => !(customer in arrivals));
      for (const until = performance.now() + ARRIVE_MS_MAX; missing(); await sleep(50)) {
        Object.assign(arrivals, await receiver.ask("arrivals"));
        if (performance.now() > until) throw new Error("events did not arrive");
      }
      return summarise(Object.entries(commits).map(([customer, at]) => (arrivals[customer] as number) - at));
    },
    stage,
    hoard: (tenantId, count) => inParts(count, (customers) => storeInvoices(app, tenantId, customers)),
    async release(tenantId) {
      const events = `select tenant_id, id from outbox_event where tenant_id = '${tenantId}'`;
      await query(ownerUrl, `insert into outbox_pending (tenant_id, event_id) ${events}`);
    },
    async fanOut(tenantId, count) {
      await stage(tenantId, count);
      while ((await dispatchEvents(app, [fanOut(app)])) > 0);
    },
    async quiet() {
      for (let left = 1; left > 0; await sleep(100)) {
        await receiver.ask("release");
        left = await query(ownerUrl, "select from outbox_pending union all select from delivery_due");
      }
      await query(ownerUrl, "vacuum analyze");
    },
    async close() {
      await Promise.all([together.end(), apart.end()]);
      await receiver.end();
      await api.close();
      await closeApp(app);
    },
  };
}

/** Work on so many customers, some at a time. */
async function inParts(count: number, work: (customers: string[]) => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += STAGED) {
    await work(Array.from({ length: Math.min(STAGED, count - done) }, (_, number) => `noise_${number}`));
  }
}

async function startChild(file: string, task: LatencyTask | undefined, log: number) {
  const path = new URL(file, import.meta.url).pathname;
  const child: ChildProcess = fork(path, [JSON.stringify(task ?? null)], { stdio: ["ignore", log, log, "ipc"] });
  let ended = (_error: Error) => {};
  const gone = new Promise<void>((resolve) => {
    child.once("exit", (code) => {
      resolve();
      ended(new Error(`${file} ended with ${code}`));
    });
  });
  const message = () =>
    new Promise<unknown>((resolve, reject) => {
      child.once("message", resolve);
      ended = reject;
    });
  return {
    /** Its first words. */
    said: await message(),
    ask(question: LatencyLoad | string): Promise<unknown> {
      const answer = message();
      child.send(question);
      return answer;
    },
    async end(): Promise<void> {
      child.kill("SIGTERM");
      await gone;
    },
  };
}

function summarise(latencies: readonly number[]): Latency {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

async function query(url: string, text: string): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  const { rowCount } = await client.query(text).finally(() => client.end());
  return rowCount ?? 0;
}
