import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { openSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import { startPostgres } from "../../cli/emulator/postgres.ts";
import { appUrls, setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import type { DeliveriesDone, DeliveriesTask } from "./deliveries-part.ts";

// Sending what waits, signed and logged, against a bare undici loop that POSTs the same bytes to the same receiver with as
// many requests in flight. Sender, receiver and database share the machine, and the floor has no database: it is strict.

const DATABASE = "bench_deliveries";

/** How waiting deliveries were sent. */
export interface SentDeliveries {
  tenants: number;
  /** Deliveries per second, from the first claim to the last settlement. */
  rate: number;
  floorRate: number;
  /** Requests that the receiver saw for each delivery: 1 when none was sent twice. */
  sendsEach: number;
}

/** Makes the database and the receiver, and answers how to send `count` deliveries of so many tenants, each with one endpoint. */
export async function openDeliveries(adminUrl: string, log: number) {
  const url = new URL(adminUrl);
  url.pathname = `/${DATABASE}`;
  const ownerUrl = url.href;
  await query(adminUrl, `create database ${DATABASE}`);
  await migrate(ownerUrl);
  await setLoginPasswords(ownerUrl);
  const key = randomBytes(32).toString("base64");
  const receiver = await startReceiver(log);
  const send = async (tenants: number, count: number): Promise<SentDeliveries> => {
    const task = { ownerUrl, ...appUrls(ownerUrl), key, receiverUrl: receiver.url, tenants, count };
    await runPart({ ...task, part: "prepare" }, log);
    await query(ownerUrl, "vacuum analyze");
    await query(ownerUrl, "checkpoint");
    const floor = await runPart({ ...task, part: "floor" }, log);
    const before = await receiver.count();
    const ours = await runPart({ ...task, part: "deliver" }, log);
    const sends = (await receiver.count()) - before;
    return {
      tenants,
      rate: (ours.count / ours.ms) * 1_000,
      floorRate: (floor.count / floor.ms) * 1_000,
      sendsEach: sends / ours.count,
    };
  };
  return { send, close: () => receiver.process.kill() };
}

async function startReceiver(log: number) {
  const path = new URL("deliveries-receiver.ts", import.meta.url).pathname;
  const child: ChildProcess = fork(path, [], { stdio: ["ignore", log, log, "ipc"] });
  const message = () => new Promise<unknown>((resolve) => child.once("message", resolve));
  const url = String(await message());
  return {
    process: child,
    url,
    /** How many requests came. */
    async count(): Promise<number> {
      const answer = message();
      child.send("count");
      return Number(await answer);
    },
  };
}

function runPart(task: DeliveriesTask, log: number): Promise<DeliveriesDone> {
  const path = new URL("deliveries-part.ts", import.meta.url).pathname;
  const child = fork(path, [JSON.stringify(task)], { stdio: ["ignore", log, log, "ipc"], execArgv: process.execArgv });
  return new Promise((resolve, reject) => {
    let done: DeliveriesDone | undefined;
    child.once("message", (message) => {
      done = message as DeliveriesDone;
    });
    child.once("exit", (code) => (done ? resolve(done) : reject(new Error(`${task.part} ended with ${code}`))));
  });
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(text).finally(() => client.end());
}

/** By itself: node test/bench/deliveries.ts [--count N] [--rounds N] [--tenants 1,50]. */
async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      count: { type: "string", default: "30000" },
      rounds: { type: "string", default: "3" },
      tenants: { type: "string", default: "1,50" },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), "usageflow-bench-"));
  await chmod(folder, 0o755);
  const postgres = await startPostgres({ dataDir: join(folder, "postgres"), durable: true, password: "bench" });
  try {
    const { send, close } = await openDeliveries(postgres.url, openSync(join(folder, "server.log"), "w"));
    for (const tenants of flags.tenants.split(",").map(Number)) {
      for (let round = 0; round < Number(flags.rounds); round++) {
        const { rate, floorRate, sendsEach } = await send(tenants, Number(flags.count));
        process.stdout.write(
          `deliveries, ${tenants} tenants  ratio ${(rate / floorRate).toFixed(2)}  ours ${rate.toFixed(0)}/s  ` +
            `floor ${floorRate.toFixed(0)}/s  sends of each ${sendsEach.toFixed(4)}\n`,
        );
      }
    }
    close();
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();
