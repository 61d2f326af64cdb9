import { join } from "node:path";
import { type Api, startApi } from "../../server/api.ts";
import { closeApp, createApp } from "../../server/app.ts";
import { systemClock } from "../../server/clock.ts";
import { type Config, defaults } from "../../server/config.ts";
import { appUrls } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import { createLockstep } from "../../server/lockstep.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { startWorker, takeOver } from "../../server/worker.ts";
import type { DataFolder } from "./data-folder.ts";
import { createEmulatorLog, type Listeners } from "./emulator-log.ts";
import { startPostgres } from "./postgres.ts";

/** The server, its workers and its database at work on a data folder. */
export interface RunningServer {
  url: string;
  /** Whether its data began with it: there is a tenant, and nothing in it. */
  isNew: boolean;
  /** Stops everything. What is in the folder can be copied then. */
  close(): Promise<void>;
}

export interface ServerOptions {
  port: number;
  /** Where the clock of a new tenant stands. Undefined: it runs. */
  clock: Date | undefined;
  /** Waits after the first, second and third failure of a webhook, and so on. Undefined: as in production. */
  retryScheduleMs?: readonly number[] | undefined;
  listeners: Listeners;
}

const HOST = "127.0.0.1";

/** Starts all of it; what was started is stopped again when it fails half-way. */
export async function startServer(folder: DataFolder, options: ServerOptions): Promise<RunningServer> {
  await using undo = new AsyncDisposableStack();
  let stopping = false;
  const postgres = await startPostgres({
    dataDir: join(folder.path, "postgres"),
    durable: folder.durable,
    clean: true,
    password: folder.kept.databasePassword,
  });
  undo.defer(() => postgres.stop());
  if (!folder.hasSchema) await migrate(postgres.url);
  const isNew = folder.kept.empty === true || folder.kept.apiKey === undefined;
  if (isNew) await makeTenant(folder, postgres.url, options.clock);
  const repeatable = folder.kept.randomSeed !== undefined;
  const app = await createApp(configOf(folder, postgres.url, options, repeatable), {
    log: createEmulatorLog(options.listeners, () => stopping),
    lockstep: repeatable ? createLockstep() : undefined,
  });
  undo.defer(() => closeApp(app));
  if (!isNew) await takeOver(app); // the one before may have been killed
  const api: Api = await startApi(app);
  undo.defer(() => api.close());
  const worker = startWorker(app);
  undo.defer(() => worker.close());
  undo.defer(() => {
    stopping = true;
  });
  const started = undo.move();
  return { url: api.url, isNew, close: () => started.disposeAsync() };
}

/** One developer is on it, on a machine with other things to do: nothing is refused because it came fast. */
const NO_LIMITS = {
  keyCallsPerSecond: 0,
  tenantCallsPerSecond: 0,
  keyEventsPerSecond: 0,
  tenantEventsPerSecond: 0,
  eventLoopDelayMaxMs: 0,
  waitMaxMs: 30_000,
  databaseTcpTimeoutMs: 0, // nor does PostgreSQL on Windows know these two
  databaseCheckMs: 0,
} satisfies Partial<Config>;

function configOf(folder: DataFolder, ownerUrl: string, options: ServerOptions, repeatable: boolean): Config {
  const { masterKey, keyPepper } = folder.kept;
  return {
    ...defaults,
    ...appUrls(ownerUrl),
    host: HOST,
    port: options.port,
    masterKey: Buffer.from(masterKey, "base64"),
    keyPepper: Buffer.from(keyPepper, "base64"),
    emulator: true,
    reflection: true,
    ...NO_LIMITS,
    deliveryScheduleMs: options.retryScheduleMs ? [0, ...options.retryScheduleMs] : defaults.deliveryScheduleMs,
    breakerFailures: 0, // who debugs a receiver waits for the schedule alone
    shutdownDelayMs: 0,
    shutdownGraceMs: 1_000, // whoever is connected to an emulator is on this machine, and can try again
    ...(repeatable ? { deliveryConcurrencyMax: 1 } : {}), // so that webhooks come in the order of their sequence
  };
}

/** Makes the organization; where the folder has a key from before, it is that of the test tenant. */
async function makeTenant(folder: DataFolder, ownerUrl: string, clock: Date | undefined): Promise<void> {
  const { empty: _, clock: __, ...kept } = folder.kept;
  const secrets = createSecrets({
    masterKey: Buffer.from(kept.masterKey, "base64"),
    keyPepper: Buffer.from(kept.keyPepper, "base64"),
  });
  const parts = { secrets, clock: systemClock };
  const { test, ownerToken } = await initOrganization(ownerUrl, parts, {
    name: "Emulator",
    ...(clock ? { testClock: clock } : {}),
    ...(kept.apiKey ? { testKey: kept.apiKey } : {}),
  });
  const keys = { apiKey: test.secret, accessToken: ownerToken };
  await folder.save({ ...kept, ...keys, ...(clock ? { clock: clock.toISOString() } : {}) });
}
