import { access, constants, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readMigrations } from "../../server/db/migrate.ts";
import { CliError } from "../cli-error.ts";
import { isRunning } from "../locator.ts";
import { makeFolder, placeFailure } from "../make-folder.ts";
import { copyTree } from "./copy-tree.ts";
import { postgresVersion } from "./postgres-package.ts";

// A snapshot is a folder. `snapshot.json` in it names the folder beside it that has the data, and is replaced in one step
// when all of that is there: whoever is killed while saving leaves the snapshot before.

/** What `snapshot.json` says. */
interface SnapshotNote {
  /** Of this format. */
  version: 1;
  /** Name of the folder with the data. */
  data: string;
  /** When it was saved, as RFC 3339. */
  savedAt: string;
  /** The PostgreSQL that wrote the data. */
  postgres: string;
  /** The last migration of its schema. Later ones are made up for when it is loaded. */
  schema: string;
}

const NOTE = "snapshot.json";
const DATA = /^data-(\d+)-\d+$/;

/** Saves what a data folder holds, whose database is stopped. The snapshot that was there goes when the new one is whole. */
export async function saveSnapshot(dataFolder: string, folder: string): Promise<void> {
  await preparePlace(folder);
  const data = `data-${process.pid}-${Date.now()}`;
  await mkdir(join(folder, data), { mode: 0o711 });
  await copyTree(join(dataFolder, "postgres"), join(folder, data, "postgres"));
  await copyTree(join(dataFolder, "usageflow.json"), join(folder, data, "usageflow.json"));
  const note: SnapshotNote = {
    version: 1,
    data,
    savedAt: new Date().toISOString(),
    postgres: await postgresVersion(),
    schema: await lastMigration(),
  };
  const beside = join(folder, `${NOTE}.${process.pid}.new`);
  await writeFile(beside, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600 });
  await flush(beside);
  await rename(beside, join(folder, NOTE));
  await tidy(folder, data);
}

/** Makes the folder of a snapshot where it is not there. Throws unless one may be saved in it: nothing else is replaced. */
export async function preparePlace(folder: string): Promise<void> {
  const refused = (error: Error) => {
    throw placeFailure(folder, error);
  };
  await makeFolder(folder, 0o700);
  const found = await readdir(folder).catch(refused);
  await access(folder, constants.W_OK).catch(refused);
  if (found.every((name) => name.startsWith(NOTE) || DATA.test(name))) return;
  throw new CliError("failed_precondition", `${folder} holds something else`, {
    hint: "Name a new folder, an empty one, or a snapshot that is to be replaced.",
  });
}

/** The folder of a snapshot's data. Throws when there is none that this version can read. */
export async function findSnapshot(folder: string): Promise<string> {
  const text = await readFile(join(folder, NOTE), "utf8").catch((cause) => {
    throw new CliError(
      "not_found",
      `there is no snapshot in ${folder}`,
      { hint: "Save one with: emulator snapshot save NAME" },
      cause,
    );
  });
  const note = JSON.parse(text) as SnapshotNote;
  const major = (version: string) => version.split(".")[0];
  const isOther = note.version !== 1 || major(note.postgres) !== major(await postgresVersion());
  if (isOther || note.schema > (await lastMigration())) {
    throw new CliError("failed_precondition", `the snapshot in ${folder} was saved by another version of UsageFlow`, {
      hint: "Load it with that version, or one after it.",
    });
  }
  return join(folder, note.data);
}

/** Takes away what is no longer the snapshot, and what others who were killed had begun. */
async function tidy(folder: string, current: string): Promise<void> {
  const noted = (JSON.parse(await readFile(join(folder, NOTE), "utf8")) as SnapshotNote).data;
  for (const name of await readdir(folder)) {
    const pid = Number(DATA.exec(name)?.[1] ?? /^snapshot\.json\.(\d+)\.new$/.exec(name)?.[1]);
    if (!pid || name === current || name === noted) continue;
    if (pid !== process.pid && (await isRunning(pid))) continue; // is saving now
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function lastMigration(): Promise<string> {
  return Object.keys(await readMigrations()).at(-1) ?? "";
}

async function flush(file: string): Promise<void> {
  await using handle = await open(file, "r+");
  await handle.sync();
}
