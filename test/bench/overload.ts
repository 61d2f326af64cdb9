import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants, setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import pg from "pg";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { systemClock } from "../../server/clock.ts";
import type { Config } from "../../server/config.ts";
import { appUrls, setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { catalog } from "../support/catalog.ts";
import { createClients } from "../support/clients.ts";
import type { OpenLoad, OpenResult } from "./open-load.ts";

// One tenant sends ten times what it may, for half a minute, beside another one that sends a little.

const DATABASE = "bench_overload";
const MAY_PER_SECOND = 500;
const TIMES = 10;
const QUIET_PER_SECOND = 100;
const REACH = 2;
const QUIET_CONNECTIONS = 8;
const NOISY_CONNECTIONS = 64;
const WARM_UP_MS = 3_000;
const SAMPLE_MS = 1_000;

/** What became of an overload. */
interface Overload {
  alone: OpenResult;
  beside: OpenResult;
  noisy: OpenResult;
  /** Beside, as a multiple of alone. */
  factor: { p50: number; p99: number };
  /** Of the server, in its first and in its last seconds under load, and at its most. */
  memoryMb: { begin: number; end: number; peak: number };
  /** Events that were acknowledged and are not in the database. */
  lost: number;
}

/** Overloads that the bench knows, and how the server is set for each. */
export const overloads: Record<string, Partial<Config>> = {
  [`overload: ${TIMES} times a tenant's rate`]: {
    tenantEventsPerSecond: MAY_PER_SECOND,
    rateBurstSeconds: 1,
  },
};

/** Runs one. It stops by itself. */
export async function benchOverload(
  adminUrl: string,
  log: number,
  { name, ms, json }: { name: string; ms: number; json: boolean },
): Promise<void> {
  const children: ChildProcess[] = [];
  const start = async (file: string, ...args: string[]) => {
    const path = new URL(file, import.meta.url).pathname;
    const child = fork(path, args, { stdio: ["ignore", log, log, "ipc"] });
    children.push(child);
    return { child, said: await said<string>(child) };
  };
  const admin = new pg.Client(adminUrl);
  await admin.connect();
  await admin.query(`drop database if exists ${DATABASE}`);
  await admin.query(`create database ${DATABASE}`);
  const url = Object.assign(new URL(adminUrl), { pathname: `/${DATABASE}` }).href;
  const owner = new pg.Client(url);
  try {
    await migrate(url);
    await setLoginPasswords(url);
    await owner.connect();
    const key = randomBytes(32);
    const given = { ...appUrls(url), key: key.toString("base64"), config: overloads[name] };
    const server = await start("serve.ts", JSON.stringify(given));
    const parts = { secrets: createSecrets({ masterKey: key, keyPepper: key }), clock: systemClock };
    const tenants = await Promise.all(
      ["Quiet", "Noisy"].map(async (each) => (await initOrganization(url, parts, { name: each })).live),
    );
    const metrics = create(CatalogSchema, { metrics: catalog.metrics });
    for (const { secret } of tenants)
      await createClients(server.said, secret).pricing.pushCatalog({ catalog: metrics });
    const [quiet, noisy] = await Promise.all([start("overload-part.ts"), start("overload-part.ts")]);
    const run = (part: ChildProcess, load: Omit<OpenLoad, "url">): Promise<OpenResult> => {
      part.send({ url: server.said, ...load } satisfies OpenLoad);
      return said<OpenResult>(part);
    };
    // It stands for machines that are elsewhere: it takes what the server, its database and the measuring leave of this one.
    setPriority(noisy.child.pid as number, constants.priority.PRIORITY_LOW);
    const [quietKey, noisyKey] = tenants.map(({ secret }) => secret) as [string, string];
    const quietLoad = (prefix: string, forMs: number) =>
      run(quiet.child, {
        ...{ key: quietKey, perSecond: QUIET_PER_SECOND, connections: QUIET_CONNECTIONS, ms: forMs, prefix },
      });
    const load = { key: noisyKey, perSecond: TIMES * MAY_PER_SECOND, connections: NOISY_CONNECTIONS };
    // Code that takes and code that refuses are both warm, and then its rate is the noisy one's again.
    await Promise.all([
      quietLoad("warm-", WARM_UP_MS),
      run(noisy.child, { ...load, ms: WARM_UP_MS, prefix: "noisy-warm-" }),
    ]);
    await sleep(WARM_UP_MS);
    const alone = await quietLoad("alone-", ms);
    const memory: number[] = [];
    let over = false;
    const watch = async () => {
      while (!over) {
        server.child.send("memory");
        memory.push(await said<number>(server.child));
        await sleep(SAMPLE_MS);
      }
    };
    const noise = run(noisy.child, { ...load, ms, prefix: "noisy-" });
    const watching = watch();
    const [beside, flood] = await Promise.all([quietLoad("beside-", ms), noise]);
    over = true;
    await watching;
    const counted = async (tenantId: string, prefix: string, { acknowledged }: OpenResult) => {
      const { rows } = await owner.query(
        "select count(*)::int as count from usage_event where tenant_id = $1 and idempotency_key = any($2)",
        [tenantId, acknowledged.map((number) => `${prefix}${number}`)],
      );
      return acknowledged.length - rows[0].count;
    };
    const [quietId, noisyId] = tenants.map(({ tenantId }) => tenantId) as [string, string];
    const lost =
      (await counted(quietId, "alone-", alone)) +
      (await counted(quietId, "beside-", beside)) +
      (await counted(noisyId, "noisy-", flood));
    const third = Math.ceil(memory.length / 3);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    print(name, json, {
      ...{ alone, beside, noisy: flood, lost },
      factor: { p50: beside.p50Ms / alone.p50Ms, p99: beside.p99Ms / alone.p99Ms },
      memoryMb: { begin: mean(memory.slice(0, third)), end: mean(memory.slice(-third)), peak: Math.max(...memory) },
    });
  } finally {
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => new Promise((resolve) => child.once("exit", resolve))));
    await owner.end();
    await admin.query(`drop database ${DATABASE}`);
    await admin.end();
  }
}

function said<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null) => reject(new Error(`a part of the bench ended with ${code}`));
    child.once("exit", gone);
    child.once("message", (message) => {
      child.off("exit", gone);
      resolve(message as T);
    });
  });
}

function print(name: string, json: boolean, run: Overload): void {
  const { alone, beside, noisy, factor, memoryMb, lost } = run;
  const bare = ({ acknowledged, ...rest }: OpenResult) => ({ ...rest, acknowledged: acknowledged.length });
  if (json) {
    const facts = {
      scenario: name,
      reach: REACH,
      ...run,
      alone: bare(alone),
      beside: bare(beside),
      noisy: bare(noisy),
    };
    return void process.stdout.write(`${JSON.stringify(facts)}\n`);
  }
  const line = ({ rate, p50Ms, p99Ms, statuses }: OpenResult) =>
    `${rate.toFixed(0).padStart(6)}/s taken  p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms  ${JSON.stringify(statuses)}`;
  process.stdout.write(
    `${name}: the other tenant's p99 ${factor.p99.toFixed(2)} times its quiet one (reach ${REACH}), p50 ${factor.p50.toFixed(2)}; ${lost} lost\n` +
      `  alone  ${line(alone)}\n  beside ${line(beside)}\n  noisy  ${line(noisy)}, ${noisy.toldWhen} told when to come again\n` +
      `  memory ${memoryMb.begin.toFixed(0)} MB, then ${memoryMb.end.toFixed(0)} MB, at most ${memoryMb.peak.toFixed(0)} MB\n`,
  );
}
