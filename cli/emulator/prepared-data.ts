import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { setLoginPasswords } from "../../server/db/login.ts";
import { migrate, migrationsFolder } from "../../server/db/migrate.ts";
import { copyTree } from "./copy-tree.ts";
import { startPostgres } from "./postgres.ts";
import { postgresVersion } from "./postgres-package.ts";

// A database with the schema in it takes half a second to make and a twentieth of it to copy. So it is made once, for each
// version of the schema and of PostgreSQL, and kept in the user's cache.

const UNUSED_DAYS_MAX = 30;

/** Puts the data of a PostgreSQL with the schema in it at `dataDir`, where nothing is yet, and answers its password. */
export async function placeData(dataDir: string): Promise<string> {
  const kept = join(cacheFolder(), await fingerprint());
  const password = await readFile(join(kept, "password"), "utf8").catch(() => undefined);
  if (password === undefined) return makeData(dataDir, kept);
  await copyTree(join(kept, "postgres"), dataDir);
  await utimes(kept, new Date(), new Date()).catch(() => {}); // it is in use
  return password;
}

async function makeData(dataDir: string, kept: string): Promise<string> {
  const password = randomBytes(24).toString("hex");
  const postgres = await startPostgres({ dataDir, durable: false, clean: true, password });
  try {
    await migrate(postgres.url);
    await setLoginPasswords(postgres.url);
    await dropTemplates(postgres.url);
  } finally {
    await postgres.stop();
  }
  await keep(dataDir, password, kept).catch(() => {}); // without it the next start takes longer, no more
  return password;
}

/** Drops the databases that others are made from: nobody makes any here, and they are two thirds of the files to copy. */
async function dropTemplates(ownerUrl: string): Promise<void> {
  const client = new pg.Client(ownerUrl);
  await client.connect();
  try {
    for (const name of ["template0", "template1"]) {
      await client.query(`alter database ${name} is_template false`);
      await client.query(`drop database ${name}`);
    }
  } finally {
    await client.end();
  }
}

/** Whole or not at all: another process may look for it, or make it too. */
async function keep(dataDir: string, password: string, kept: string): Promise<void> {
  const beside = `${kept}.${process.pid}.new`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { recursive: true, mode: 0o700 });
  try {
    await copyTree(dataDir, join(beside, "postgres"));
    await writeFile(join(beside, "password"), password, { mode: 0o600 });
    await rename(beside, kept);
    await prune();
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** Throws away what former versions kept, and what was left half-made. */
async function prune(): Promise<void> {
  const before = Date.now() - UNUSED_DAYS_MAX * 86_400_000;
  for (const name of await readdir(cacheFolder())) {
    const folder = join(cacheFolder(), name);
    if ((await stat(folder)).mtimeMs < before) await rm(folder, { recursive: true, force: true });
  }
}

/** Names what the data depends on. */
async function fingerprint(): Promise<string> {
  const hash = createHash("sha256");
  const folder = await migrationsFolder();
  for (const file of (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort()) {
    hash.update(file).update(await readFile(new URL(file, folder)));
  }
  return hash
    .update(await postgresVersion())
    .digest("hex")
    .slice(0, 32);
}

function cacheFolder(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(process.env.USAGEFLOW_CACHE_DIR || join(cache, "usageflow"), "prepared");
}
