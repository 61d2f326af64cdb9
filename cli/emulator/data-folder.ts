import { randomBytes } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CliError } from "../cli-error.ts";
import { isRunning } from "../locator.ts";
import { makeFolder } from "../make-folder.ts";
import { copyTree } from "./copy-tree.ts";
import { endOrphan } from "./postgres.ts";
import { placeData } from "./prepared-data.ts";
import { findSnapshot } from "./snapshot.ts";
import { abandonedThrowaways, makeThrowaway, OWNER_FILE } from "./throwaway.ts";

/** What an emulator keeps beside its database, so that a restart is the same emulator. */
export interface Kept {
  /** In base64, 32 bytes: as in the server's configuration. */
  masterKey: string;
  keyPepper: string;
  webhookSecret: string;
  /** Of the database's logins: it listens on a port that everybody on the machine can reach. */
  databasePassword: string;
  /** Whether there is no tenant yet. */
  empty?: boolean;
  /** The test tenant's owner key. Undefined before the first tenant. */
  apiKey?: string;
  /** The owner's access token. Undefined before the first organization. */
  accessToken?: string;
  /** The time at which the clock stood in the beginning. Undefined: it runs. */
  clock?: string;
  /** What ids are made from, when runs are to be equal, and how often that was begun. */
  randomSeed?: number;
  runs?: number;
}

/** The folder of an emulator: `usageflow.json`, which nobody else may read, and the database. */
export interface DataFolder {
  path: string;
  kept: Kept;
  /** Whether the database was made by this process, and so has its schema. */
  hasSchema: boolean;
  /** Whether the folder outlives the emulator. */
  durable: boolean;
  save(kept: Kept): Promise<void>;
  /** Begins anew with an empty database; the keys stay. The database is stopped. */
  empty(): Promise<void>;
  /** Takes what a snapshot has in place of what is there, its keys too. The database is stopped. */
  load(snapshot: string): Promise<void>;
  /** Lets go of it; a folder that is thrown away goes. */
  close(): Promise<void>;
}

const FILE = "usageflow.json";
/** How long an emulator that is being stopped may take. */
const STOPPING_MS = 5_000;

/**
 * Opens the folder at `path`, which is kept, or makes one that is thrown away. One that is new begins with an empty
 * database, or with that of a snapshot.
 */
export async function openDataFolder(path: string | undefined, snapshot?: string): Promise<DataFolder> {
  await sweep();
  const folder = path ? resolve(path) : await makeThrowaway();
  if (path) {
    await makeFolder(folder);
    await lock(join(folder, OWNER_FILE));
  }
  const close = () =>
    path ? rm(join(folder, OWNER_FILE), { force: true }) : rm(folder, { recursive: true, force: true });
  try {
    return await openLocked(folder, path !== undefined, snapshot, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function openLocked(
  path: string,
  durable: boolean,
  snapshot: string | undefined,
  close: () => Promise<void>,
): Promise<DataFolder> {
  const folder: DataFolder = {
    path,
    durable,
    hasSchema: false,
    kept: { masterKey: "", keyPepper: "", webhookSecret: "", databasePassword: "" },
    close,
    async save(kept) {
      const file = join(path, FILE);
      await writeFile(`${file}.new`, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
      await rename(`${file}.new`, file);
      folder.kept = kept;
    },
    async empty() {
      const databasePassword = await place(path, placeData);
      const { runs: _, ...kept } = folder.kept;
      await folder.save({ ...kept, databasePassword, empty: true });
      folder.hasSchema = true;
    },
    async load(from) {
      const data = await findSnapshot(from);
      const kept = JSON.parse(await readFile(join(data, FILE), "utf8")) as Kept;
      await place(path, (dataDir) => copyTree(join(data, "postgres"), dataDir));
      await folder.save(kept);
      folder.hasSchema = false;
    },
  };
  const found = await readFile(join(path, FILE), "utf8").catch(() => undefined);
  if (found !== undefined) {
    if (snapshot) throw notNew(path);
    folder.kept = JSON.parse(found);
  } else if (snapshot) await folder.load(snapshot);
  else {
    folder.kept = newKept();
    await folder.empty();
  }
  return folder;
}

/** Makes the database's data beside its place, so that what is there is whole, and puts it there. */
async function place<T>(folder: string, make: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = join(folder, "postgres");
  const beside = join(folder, "postgres.new");
  await rm(beside, { recursive: true, force: true });
  const made = await make(beside);
  await endOrphan(dataDir);
  await rm(dataDir, { recursive: true, force: true });
  await rename(beside, dataDir);
  return made;
}

function notNew(folder: string): CliError {
  return new CliError("failed_precondition", `there is data in ${folder} already`, {
    hint: "Take another --data folder for what is imported, or start it and load the snapshot: emulator snapshot load.",
  });
}

function newKept(): Kept {
  const key = () => randomBytes(32).toString("base64");
  return { masterKey: key(), keyPepper: key(), webhookSecret: `whsec_${key()}`, databasePassword: "" };
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
