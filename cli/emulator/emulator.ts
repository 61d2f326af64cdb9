import { createServer } from "node:net";
import { type Client, createClient } from "@connectrpc/connect";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { setIdSource } from "../../server/id.ts";
import type { CatalogFile } from "../catalog/catalog-file.ts";
import { CliError } from "../cli-error.ts";
import { connect } from "../client.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import type { Listeners } from "./emulator-log.ts";
import { repeatableIds } from "./repeatable-ids.ts";
import type { RunningServer } from "./running-server.ts";
import { type Seed, sow } from "./seed.ts";
import { findSnapshot, preparePlace, saveSnapshot } from "./snapshot.ts";
import { snapshotFolder } from "./snapshot-folder.ts";

/** The server, its workers and its database in one process, with a test tenant. */
export interface Emulator {
  /** These four may be others after `load`. */
  readonly url: string;
  readonly apiKey: string;
  /** Of the owner of the organization. */
  readonly accessToken: string;
  readonly webhookSecret: string;
  /** Begins anew, as it was when it was started: with its snapshot, or with no data, same keys, same clock, same seed. */
  reset(): Promise<void>;
  /** Saves all that it holds as a snapshot, which replaces one of the same name. Answers its folder. */
  save(nameOrPath: string): Promise<string>;
  /** Goes on from a snapshot. What it held is gone. */
  load(nameOrPath: string): Promise<void>;
  /** Stops everything, and leaves nothing behind but a folder that is to be kept, and a snapshot where one is asked for. */
  close(snapshot?: string): Promise<void>;
}

export interface EmulatorOptions {
  /** Port to listen on. Undefined: the usual one, or a free one where that is taken. */
  port: number | undefined;
  /** The test tenant's clock stands at this time. Undefined: it runs. */
  clock?: Date | undefined;
  /** Folder to keep the data in. Undefined: it is thrown away. */
  data?: string | undefined;
  /** Snapshot to begin with. */
  import?: string | undefined;
  catalog?: CatalogFile | undefined;
  /** What is done to a new tenant. */
  seed?: Seed | undefined;
  /** Ids are made from it, and work is done in one order, so that runs are equal. */
  randomSeed?: number | undefined;
  /** Waits after the first, second and third failure of a webhook, and so on. Undefined: as in production. */
  retryScheduleMs?: readonly number[] | undefined;
  /** URL that receives all events. */
  forwardTo?: string | undefined;
  listeners: Listeners;
}

export const USUAL_PORT = 8787;
const HOST = "127.0.0.1";
/** Marks the endpoint of `--forward-to` among those that a user made. */
const FORWARD_DESCRIPTION = "usageflow emulator --forward-to";
/** Where the clock stands when runs are to be equal, and nobody said where. */
const REPEATABLE_CLOCK = new Date("2026-01-01T00:00:00Z");

/** Starts an emulator; what was started is stopped again when it fails half-way. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const port = await choosePort(options.port);
  void server(); // it loads while the data is copied
  const folder = await openDataFolder(options.data, options.import && snapshotFolder(options.import));
  const emulator = new OwnEmulator(folder, options, port);
  try {
    checkClock(folder, options.clock);
    await emulator.start();
  } catch (error) {
    await emulator.close();
    throw error;
  }
  return emulator;
}

/** The server's code, which takes half the time of a start to load. */
function server() {
  return import("./running-server.ts");
}

class OwnEmulator implements Emulator {
  url = "";
  readonly #folder: DataFolder;
  readonly #options: EmulatorOptions;
  #port: number;
  #server: RunningServer | undefined;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: DataFolder, options: EmulatorOptions, port: number) {
    this.#folder = folder;
    this.#options = options;
    this.#port = port;
  }

  get apiKey(): string {
    return this.#folder.kept.apiKey ?? "";
  }

  get accessToken(): string {
    return this.#folder.kept.accessToken ?? "";
  }

  get webhookSecret(): string {
    return this.#folder.kept.webhookSecret;
  }

  async start(): Promise<void> {
    const { randomSeed, clock, catalog, seed, forwardTo } = this.#options;
    await beginIds(this.#folder, randomSeed);
    const { kept } = this.#folder;
    const first = clock ?? (kept.clock ? new Date(kept.clock) : undefined);
    const standing = first ?? (kept.randomSeed === undefined ? undefined : REPEATABLE_CLOCK);
    const { startServer } = await server();
    this.#server = await startServer(this.#folder, { ...this.#options, port: this.#port, clock: standing });
    this.url = this.#server.url;
    this.#port = Number(new URL(this.url).port);
    const transport = connect(this);
    if (catalog) await pushCatalog(createClient(PricingService, transport), catalog);
    await forward(createClient(WebhookService, transport), forwardTo, this.webhookSecret);
    if (seed && this.#server.isNew) await sow(seed, transport);
  }

  async reset(): Promise<void> {
    if (this.#options.import !== undefined) return this.load(this.#options.import);
    await this.#still(() => this.#folder.empty());
  }

  async save(nameOrPath: string): Promise<string> {
    const folder = snapshotFolder(nameOrPath);
    await preparePlace(folder); // before anything is stopped
    return this.#still(async () => {
      await saveSnapshot(this.#folder.path, folder);
      return folder;
    });
  }

  async load(nameOrPath: string): Promise<void> {
    const folder = snapshotFolder(nameOrPath);
    await findSnapshot(folder); // before anything is stopped
    await this.#still(() => this.#folder.load(folder));
  }

  close(snapshot?: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#closed) return;
      this.#closed = true;
      await this.#stop();
      setIdSource(undefined);
      try {
        if (snapshot !== undefined) await saveSnapshot(this.#folder.path, snapshotFolder(snapshot));
      } finally {
        await this.#folder.close();
      }
    });
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
  }

  /** Does something to the data while nothing uses it. Whatever becomes of it, the emulator goes on. */
  #still<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      if (!this.#server) throw new CliError("failed_precondition", "the emulator is being stopped");
      await this.#stop();
      return await work().finally(() => this.start());
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}

/** Each start on the same data makes ids of its own. */
async function beginIds(folder: DataFolder, randomSeed: number | undefined): Promise<void> {
  const { kept } = folder;
  const seed = randomSeed ?? kept.randomSeed;
  if (seed === undefined) return setIdSource(undefined);
  const runs = (kept.runs ?? -1) + 1;
  await folder.save({ ...kept, randomSeed: seed, runs });
  setIdSource(repeatableIds(seed, runs));
}

/** A clock that stands where the data began with it is no other. */
function checkClock({ kept }: DataFolder, clock: Date | undefined): void {
  const standsAt = clock?.toISOString();
  if (kept.empty || standsAt === undefined || standsAt === kept.clock) return;
  const began = kept.clock ? `with its clock at ${kept.clock}` : "with a clock that runs";
  throw new CliError("failed_precondition", `this data began ${began}, and not at ${standsAt}`, {
    hint: "Leave --clock out to go on where it is, or take another --data folder to begin anew.",
  });
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

/** The port that was asked for, or a free one (0) where nobody asked and the usual one is taken. */
async function choosePort(port: number | undefined): Promise<number> {
  if (await isFree(port ?? USUAL_PORT)) return port ?? USUAL_PORT;
  if (port === undefined) return 0;
  throw new CliError("failed_precondition", `port ${port} of ${HOST} is taken`, {
    hint: "Take another with --port, or any free one with --port 0. An emulator that has it stops with: usageflow emulator stop",
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once("error", () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}
