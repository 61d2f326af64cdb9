import { setTimeout as sleep } from "node:timers/promises";
import { closeApp, createApp } from "../../server/app.ts";
import { type Config, defaults } from "../../server/config.ts";
import { startWorker } from "../../server/worker.ts";
import { stageInvoices } from "./stage-invoices.ts";

// A process that commits events at a steady rate, or runs the loops that send them, or both.

/** What the process is told when it starts. */
export interface LatencyTask {
  databaseUrl: string;
  workerDatabaseUrl: string;
  /** Master key and pepper, base64. */
  key: string;
  worker: boolean;
}

/** A load that it is asked for. */
export interface LatencyLoad {
  tenantId: string;
  perSecond: number;
  ms: number;
  /** Begins the name of each event's customer. */
  prefix: string;
}

/** When each event's commit was asked for, by its customer: milliseconds of the system's steady clock. */
export type Commits = Record<string, number>;

const task = JSON.parse(process.argv[2] as string) as LatencyTask;
const key = Buffer.from(task.key, "base64");
const config: Config = {
  ...defaults,
  ...{ databaseUrl: task.databaseUrl, workerDatabaseUrl: task.workerDatabaseUrl, listenUrl: task.workerDatabaseUrl },
  ...{ port: 0, masterKey: key, keyPepper: key, emulator: true },
};
const app = await createApp(config);
const worker = task.worker ? startWorker(app) : undefined;
process.on("message", async (load) => process.send?.(await commit(load as LatencyLoad)));
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", async () => {
  await worker?.close();
  await closeApp(app);
  process.exit(0);
});
process.send?.("ready");

const now = () => Number(process.hrtime.bigint()) / 1e6;

/** Open loop: an event is due at its time, however long those before it take. */
async function commit({ tenantId, perSecond, ms, prefix }: LatencyLoad): Promise<Commits> {
  const commits: Commits = {};
  const began = now();
  const all: Promise<void>[] = [];
  for (let number = 0; number < (perSecond * ms) / 1_000; number++) {
    const early = began + (number * 1_000) / perSecond - now();
    if (early > 0) await sleep(early);
    const customer = `${prefix}${number}`;
    const onStaged = () => {
      commits[customer] = now();
    };
    all.push(stageInvoices(app, tenantId, [customer], onStaged));
  }
  await Promise.all(all);
  return commits;
}
