import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { openSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { startPostgres } from "../../cli/emulator/postgres.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { systemClock } from "../../server/clock.ts";
import type { Config } from "../../server/config.ts";
import { appUrls, setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { catalog } from "../support/catalog.ts";
import { createClients } from "../support/clients.ts";
import { type ClosedMonth, openMonths } from "./close-month.ts";
import { benchDeliveries } from "./delivery-scenarios.ts";
import { grpcLoad } from "./grpc-load.ts";
import { httpLoad } from "./http-load.ts";
import type { LoadResult } from "./load.ts";
import { type CpuResult, cpuPerRequest, observings, openSink } from "./observed.ts";
import { benchOverload, overloads } from "./overload.ts";
import { benchTracker } from "./tracker.ts";

// Speed as a ratio to a floor, in one run on the same machine: floor and server are measured in turn, several times, and
// the median of the pairs counts. The load goes to 127.0.0.1 and stops by itself.

const { values: flags } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    only: { type: "string", default: "" }, // part of the names of scenarios
    deliveries: { type: "string", default: "30000" }, // that are sent in one go
  },
});
const CONNECTIONS = 64;
const TENANTS = 50;
const rounds = Number(flags.rounds);
const ms = Number(flags.seconds) * 1_000;

interface Scenario {
  name: string;
  floor: string;
  reach: number;
  measure: (url: string, keys: readonly string[]) => Promise<LoadResult>;
  tenants: number;
}

let series = 0;
const unique = () => `${process.pid}-${series++}-`;

const single = (url: string, keys: readonly string[]) => {
  const prefix = unique();
  return httpLoad({
    ...{ url, keys, connections: CONNECTIONS, ms, path: "/api/track" },
    bodyOf: (number) =>
      `{"metric":"API_CALL","amount":1,"customerId":"user_${number % 1000}","idempotencyKey":"${prefix}${number}"}`,
  });
};
const singleGrpc = (url: string, keys: readonly string[]) => {
  const prefix = unique();
  return grpcLoad({
    ...{ url, keys, connections: CONNECTIONS, ms, path: `/${UsageService.typeName}/TrackUsage` },
    eventOf: (number) => ({ idempotencyKey: `${prefix}${number}`, customerId: `user_${number % 1000}` }),
  });
};

const scenarios: Scenario[] = [
  { name: "POST /api/track, 1 tenant", floor: "floor-http.ts", reach: 0.5, measure: single, tenants: 1 },
  {
    name: `POST /api/track, ${TENANTS} tenants`,
    floor: "floor-http.ts",
    reach: 0.5,
    measure: single,
    tenants: TENANTS,
  },
  { name: "gRPC TrackUsage, 1 tenant", floor: "floor-grpc.ts", reach: 0.5, measure: singleGrpc, tenants: 1 },
  {
    name: `gRPC TrackUsage, ${TENANTS} tenants`,
    floor: "floor-grpc.ts",
    reach: 0.5,
    measure: singleGrpc,
    tenants: TENANTS,
  },
];

const OVERLOAD_MS = 30_000;
const CLOSING = "closing a month";
const MONTHS = [1_000, 10_000]; // customers

// Who stops it half-way leaves nothing running: an orderly exit ends the database, and the children with us.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const folder = await mkdtemp(join(tmpdir(), "usageflow-bench-"));
await chmod(folder, 0o755);
const postgres = await startPostgres({ dataDir: join(folder, "postgres"), durable: true, password: "bench" });
const children: ChildProcess[] = [];
try {
  await migrate(postgres.url);
  await setLoginPasswords(postgres.url);
  const key = randomBytes(32);
  const parts = { secrets: createSecrets({ masterKey: key, keyPepper: key }), clock: systemClock };
  const keys: string[] = [];
  for (let number = 0; number < TENANTS; number++) {
    const made = await initOrganization(postgres.url, parts, { name: `Tenant ${number}` });
    keys.push(made.live.secret);
  }
  const log = openSync(join(folder, "server.log"), "w");
  const serve = (config: Partial<Config> = {}) =>
    start("serve.ts", log, JSON.stringify({ ...appUrls(postgres.url), key: key.toString("base64"), config }));
  const server = await serve();
  const metrics = create(CatalogSchema, { metrics: catalog.metrics });
  for (const secret of keys) await createClients(server.url, secret).pricing.pushCatalog({ catalog: metrics });

  for (const scenario of scenarios.filter(({ name }) => name.includes(flags.only))) {
    const floor = await start(scenario.floor, log);
    const used = keys.slice(0, scenario.tenants);
    const pairs: { floor: LoadResult; ours: LoadResult }[] = [];
    for (let round = 0; round < rounds; round++) {
      pairs.push({ floor: await scenario.measure(floor.url, used), ours: await scenario.measure(server.url, used) });
    }
    floor.process.kill();
    print(scenario, pairs);
  }
  const { only, json, deliveries } = flags;
  const asked = { only, json, rounds, ms, deliveries: Number(deliveries) };
  await benchTracker(server.url, keys[0] as string, asked);
  const sink = await openSink();
  for (const { name, config } of observings(sink.url).filter((one) => one.name.includes(flags.only))) {
    const observed = await serve(config);
    for (const { url } of [server, observed]) await single(url, keys); // both are warm
    const pairs: { floor: CpuResult; ours: CpuResult }[] = [];
    for (let round = 0; round < rounds; round++) {
      const floor = await cpuPerRequest(server.process, () => single(server.url, keys));
      pairs.push({ floor, ours: await cpuPerRequest(observed.process, () => single(observed.url, keys)) });
    }
    observed.process.kill();
    print({ name, reach: 0.9 }, pairs);
    printCpu(name, pairs);
  }
  sink.close();
  if (CLOSING.includes(flags.only)) {
    const close = await openMonths(postgres.url, log);
    const months: ClosedMonth[] = [];
    for (const customers of MONTHS) {
      const runs: ClosedMonth[] = [];
      for (let round = 0; round < rounds; round++) runs.push(await close(customers));
      months.push(runs.sort((a, b) => a.ms / a.floorMs - b.ms / b.floorMs)[Math.floor(rounds / 2)] as ClosedMonth);
    }
    printMonths(months);
  }
  for (const name of Object.keys(overloads).filter((each) => each.includes(flags.only))) {
    await benchOverload(postgres.url, log, { name, json: flags.json, ms: OVERLOAD_MS });
  }
  await benchDeliveries(postgres.url, log, asked);
} finally {
  for (const child of children) child.kill();
  await Promise.all(
    children.map(
      (child) => child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once("exit", resolve)),
    ),
  );
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

function start(file: string, log: number, ...args: string[]): Promise<{ process: ChildProcess; url: string }> {
  const path = new URL(file, import.meta.url).pathname;
  const child = fork(path, args, { stdio: ["ignore", log, log, "ipc"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once("message", (url) => resolve({ process: child, url: String(url) }));
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)));
  });
}

function print(
  scenario: Pick<Scenario, "name" | "reach">,
  pairs: readonly { floor: LoadResult; ours: LoadResult }[],
): void {
  const ratios = pairs.map(({ floor, ours }) => ours.rate / floor.rate).sort((a, b) => a - b);
  const ratio = ratios[Math.floor(ratios.length / 2)] ?? 0;
  const median = pairs.find(({ floor, ours }) => ours.rate / floor.rate === ratio) ?? pairs[0];
  if (!median) return;
  const { floor, ours } = median;
  const facts = { scenario: scenario.name, ratio, reach: scenario.reach, ratios, ours, floor };
  if (flags.json) return void process.stdout.write(`${JSON.stringify(facts)}\n`);
  const round = (value: number) => value.toFixed(0).padStart(6);
  process.stdout.write(
    `${scenario.name.padEnd(28)} ratio ${ratio.toFixed(2)} (reach ${scenario.reach}; ${ratios.map((one) => one.toFixed(2)).join(", ")})\n` +
      `  ours  ${round(ours.rate)}/s  p50 ${ours.p50Ms.toFixed(1)} ms  p99 ${ours.p99Ms.toFixed(1)} ms  ${JSON.stringify(ours.statuses)}\n` +
      `  floor ${round(floor.rate)}/s  p50 ${floor.p50Ms.toFixed(1)} ms  p99 ${floor.p99Ms.toFixed(1)} ms\n`,
  );
}

/** On a machine that has other things to do, rates say little; what a request costs the server says more. */
function printCpu(name: string, pairs: readonly { floor: CpuResult; ours: CpuResult }[]): void {
  const ratios = pairs.map(({ floor, ours }) => ours.cpuUs / floor.cpuUs).sort((a, b) => a - b);
  const ratio = ratios[Math.floor(ratios.length / 2)] ?? 0;
  if (flags.json)
    return void process.stdout.write(`${JSON.stringify({ scenario: `${name}, processor`, ratio, ratios })}\n`);
  const us = pairs.map(({ floor, ours }) => `${ours.cpuUs.toFixed(0)}/${floor.cpuUs.toFixed(0)}`).join(", ");
  process.stdout.write(`  processor time per request: ${ratio.toFixed(2)} times (us: ${us})\n`);
}

/** Months of growing size: what each took, and how much more the larger one than the smaller one. */
function printMonths(months: readonly ClosedMonth[]): void {
  let before: ClosedMonth | undefined;
  for (const month of months) {
    const { customers, ms, floorMs, peakMb } = month;
    const ratio = floorMs / ms;
    const growth = before ? { time: ms / before.ms, memory: peakMb / before.peakMb } : undefined;
    const name = `${CLOSING}, ${customers} customers`;
    before = month;
    if (flags.json) {
      process.stdout.write(`${JSON.stringify({ scenario: name, ratio, reach: 0.5, ...month, growth })}\n`);
      continue;
    }
    const grown = growth
      ? `; ${growth.time.toFixed(1)} times the time before, ${growth.memory.toFixed(1)} the memory`
      : "";
    process.stdout.write(
      `${name.padEnd(28)} ratio ${ratio.toFixed(2)} (reach 0.5)\n` +
        `  ours  ${(ms / 1_000).toFixed(2)} s, ${peakMb.toFixed(0)} MB${grown}\n` +
        `  floor ${(floorMs / 1_000).toFixed(2)} s\n`,
    );
  }
}
