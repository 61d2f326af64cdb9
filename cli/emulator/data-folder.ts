import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CliError } from "../cli-error.ts";
import { isRunning } from "../locator.ts";
import { endOrphan } from "./postgres.ts";
import { abandonedThrowaways, makeThrowaway, OWNER_FILE } from "./throwaway.ts";

/** What an emulator keeps beside its database, so that a restart is the same emulator. */
export interface Kept {
  /** In base64, 32 bytes: as in the server's configuration. */
  masterKey: string;
  keyPepper: string;
  webhookSecret: string;
  /** Of the database's logins: it listens on a port that everybody on the machine can reach. */
  databasePassword: string;
  /** The test tenant's owner key. Undefined until there is a tenant. */
  apiKey?: string;
  /** The time at which the clock stood in the beginning. Undefined: it runs. */
  clock?: string;
}

/** The folder of an emulator: `usageflow.json`, which nobody else may read, and the database. */
export interface DataFolder {
  path: string;
  kept: Kept;
  /** Whether the folder outlives the emulator. */
  durable: boolean;
  save(kept: Kept): Promise<void>;
  /** Lets go of it; a folder that is thrown away goes. */
  close(): Promise<void>;
}

const FILE = "usageflow.json";
/** How long an emulator that is being stopped may take. */
const STOPPING_MS = 5_000;

/** Opens the folder at `path`, which is kept, or makes one that is thrown away. */
export async function openDataFolder(path: string | undefined): Promise<DataFolder> {
  await sweep();
  const folder = path ? resolve(path) : await makeThrowaway();
  if (path) {
    await mkdir(folder, { recursive: true });
    await lock(join(folder, OWNER_FILE));
  }
  const save = async (kept: Kept) => {
    const file = join(folder, FILE);
    await writeFile(`${file}.new`, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  };
  const found = await readFile(join(folder, FILE), "utf8").catch(() => undefined);
  const kept = found === undefined ? newKept() : (JSON.parse(found) as Kept);
  if (found === undefined) await save(kept);
  return {
    path: folder,
    kept,
    durable: path !== undefined,
    save,
    close: () => (path ? rm(join(folder, OWNER_FILE), { force: true }) : rm(folder, { recursive: true, force: true })),
  };
}

function newKept(): Kept {
  const key = () => randomBytes(32).toString("base64");
  return {
    masterKey: key(),
    keyPepper: key(),
    webhookSecret: `whsec_${key()}`,
    databasePassword: randomBytes(24).toString("hex"),
  };
}

/** Throws away what emulators that were killed could not. What cannot go is left for the next: it is in nobody's way. */
async function sweep(): Promise<void> {
  const throwAway = async (folder: string) => {
    await endOrphan(join(folder, "postgres"));
    await rm(folder, { recursive: true, force: true });
  };
  const folders = await abandonedThrowaways().catch(() => []);
  await Promise.allSettled(folders.map(throwAway));
}

/** Two emulators on one folder would end each other's database. The lock of a process that is gone is none. */
async function lock(file: string): Promise<void> {
  for (const started = performance.now(); ; ) {
    const pid = Number(await readFile(file, "utf8").catch(() => 0));
    if (!pid || pid === process.pid || !(await isRunning(pid))) break;
    if (performance.now() - started > STOPPING_MS) {
      throw new CliError("failed_precondition", `the emulator of process ${pid} has the data in ${join(file, "..")}`, {
        hint: `Stop it first. If process ${pid} is something else, remove ${file}.`,
      });
    }
    await sleep(100);
  }
  await writeFile(file, String(process.pid));
}
