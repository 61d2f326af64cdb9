import { createServer } from "node:net";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { startApi } from "../../server/api.ts";
import { closeApp, createApp } from "../../server/app.ts";
import { systemClock } from "../../server/clock.ts";
import { defaults } from "../../server/config.ts";
import { appUrls, setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import { createSecrets } from "../../server/secrets.ts";
import { createOrganization } from "../../server/tenant/create-organization.ts";
import { startWorker } from "../../server/worker.ts";
import type { CatalogFile } from "../catalog/catalog-file.ts";
import { CliError } from "../cli-error.ts";
import { connect } from "../client.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { createEmulatorLog, type Listeners } from "./emulator-log.ts";
import { startPostgres } from "./postgres.ts";

/** The server, its workers and its database in one process, with a test tenant. */
export interface Emulator {
  url: string;
  apiKey: string;
  webhookSecret: string;
  /** Stops everything, and leaves nothing behind but a folder that is to be kept. */
  close(): Promise<void>;
}

export interface EmulatorOptions {
  /** Port to listen on; another, free one where it is taken. */
  port: number;
  /** The test tenant's clock stands at this time. Undefined: it runs. */
  clock?: Date | undefined;
  /** Folder to keep the data in. Undefined: it is thrown away. */
  data?: string | undefined;
  catalog?: CatalogFile | undefined;
  /** Waits after the first, second and third failure of a webhook, and so on. Undefined: as in production. */
  retryScheduleMs?: readonly number[] | undefined;
  /** URL that receives all events. */
  forwardTo?: string | undefined;
  listeners: Listeners;
}

const HOST = "127.0.0.1";
/** Marks the endpoint of `--forward-to` among those that a user made. */
const FORWARD_DESCRIPTION = "usageflow emulator --forward-to";

/** Starts an emulator; what was started is stopped again when it fails half-way. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  await using undo = new AsyncDisposableStack();
  let stopping = false;
  const folder = await openDataFolder(options.data);
  undo.defer(() => folder.close());
  const postgres = await startPostgres({
    dataDir: join(folder.path, "postgres"),
    durable: folder.durable,
    password: folder.kept.databasePassword,
  });
  undo.defer(() => postgres.stop());
  await migrate(postgres.url);
  await setLoginPasswords(postgres.url);
  const apiKey = await keyOf(folder, postgres.url, options.clock);

  const { masterKey, keyPepper, webhookSecret } = folder.kept;
  const app = await createApp(
    {
      ...defaults,
      ...appUrls(postgres.url),
      host: HOST,
      port: (await isFree(options.port)) ? options.port : 0,
      masterKey: Buffer.from(masterKey, "base64"),
      keyPepper: Buffer.from(keyPepper, "base64"),
      emulator: true,
      deliveryScheduleMs: options.retryScheduleMs ? [0, ...options.retryScheduleMs] : defaults.deliveryScheduleMs,
      breakerFailures: 0, // who debugs a receiver waits for the schedule alone
    },
    { log: createEmulatorLog(options.listeners, () => stopping) },
  );
  undo.defer(() => closeApp(app));
  const api = await startApi(app);
  undo.defer(() => api.close());

  const transport = connect({ url: api.url, apiKey });
  if (options.catalog) await pushCatalog(createClient(PricingService, transport), options.catalog);
  await forward(createClient(WebhookService, transport), options.forwardTo, webhookSecret);
  const worker = startWorker(app);
  undo.defer(() => worker.close());
  undo.defer(() => {
    stopping = true;
  });
  const started = undo.move();
  return { url: api.url, apiKey, webhookSecret, close: () => started.disposeAsync() };
}

/** The key of the test tenant, which is made when the data is new. */
async function keyOf(folder: DataFolder, ownerUrl: string, clock: Date | undefined): Promise<string> {
  const { kept } = folder;
  const standsAt = clock?.toISOString();
  if (kept.apiKey) {
    if (standsAt === undefined || standsAt === kept.clock) return kept.apiKey;
    const began = kept.clock ? `with its clock at ${kept.clock}` : "with a clock that runs";
    throw new CliError("failed_precondition", `this data began ${began}, and not at ${standsAt}`, {
      hint: "Leave --clock out to go on where it is, or take another --data folder to begin anew.",
    });
  }
  const secrets = createSecrets(Buffer.from(kept.masterKey, "base64"), Buffer.from(kept.keyPepper, "base64"));
  const parts = { secrets, clock: systemClock };
  const { test } = await createOrganization(ownerUrl, parts, {
    name: "Emulator",
    ...(clock ? { testClock: clock } : {}),
  });
  await folder.save({ ...kept, apiKey: test.secret, ...(standsAt ? { clock: standsAt } : {}) });
  return test.secret;
}

async function pushCatalog(pricing: Client<typeof PricingService>, { catalog, placed }: CatalogFile): Promise<void> {
  // The file decides here: the versions that it says may be those of another server.
  await pricing.pushCatalog({ catalog, force: true }).catch((error) => {
    throw placed(error);
  });
}

/** Makes, moves or deletes the endpoint of `--forward-to`, whatever an earlier start has left. */
async function forward(
  webhooks: Client<typeof WebhookService>,
  url: string | undefined,
  secret: string,
): Promise<void> {
  const { endpoints } = await webhooks.listEndpoints({ pageSize: 1_000 });
  const left = endpoints.find((endpoint) => endpoint.description === FORWARD_DESCRIPTION);
  const endpoint = { url: url ?? "", description: FORWARD_DESCRIPTION, eventTypes: [] };
  if (url && left) await webhooks.updateEndpoint({ ...endpoint, id: left.id });
  else if (url) await webhooks.createEndpoint({ ...endpoint, secret });
  else if (left) await webhooks.deleteEndpoint({ id: left.id });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once("error", () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}
