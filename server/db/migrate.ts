import { readdir, readFile } from "node:fs/promises";
import { sql } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { openDatabase } from "./database.ts";

/** Where the `.sql` files are: beside the sources, and beside `dist/` where the server is compiled. */
export async function migrationsFolder(): Promise<URL> {
  const beside = new URL("../../migrations/", import.meta.url);
  const above = new URL("../../../migrations/", import.meta.url);
  return (await readdir(beside).catch(() => undefined)) ? beside : above;
}

/** All migrations by name. Each file runs in one transaction with the others that are due: all or none. */
export async function readMigrations(): Promise<Record<string, Migration>> {
  const folder = await migrationsFolder();
  const files = (await readdir(folder)).filter((file) => /^\d{4}_[a-z_]+\.sql$/.test(file)).sort();
  const entries = files.map(async (file): Promise<[string, Migration]> => {
    const text = await readFile(new URL(file, folder), "utf8");
    return [file.replace(".sql", ""), { up: async (db) => void (await sql.raw(text).execute(db)) }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Brings the schema up to date as its owner, and answers the names of the migrations that ran. */
export async function migrate(ownerUrl: string): Promise<string[]> {
  const { db } = openDatabase({
    url: ownerUrl,
    connectionsMax: 1,
    statementTimeoutMs: 600_000,
    onIdleError: () => {},
  });
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: readMigrations } });
    const { error, results } = await migrator.migrateToLatest();
    if (error) throw error;
    return (results ?? []).map((result) => result.migrationName);
  } finally {
    await db.destroy();
  }
}
