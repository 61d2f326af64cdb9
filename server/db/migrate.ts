import { readdir, readFile } from "node:fs/promises";
import { sql } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { type Db, openDatabase } from "./database.ts";

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
  const text = (file: string) => readFile(new URL(file, folder), "utf8"); // a server that starts asks for the names alone
  const migration = (file: string): Migration => ({
    up: async (db) => void (await sql.raw(await text(file)).execute(db)),
  });
  return Object.fromEntries(files.map((file) => [file.replace(".sql", ""), migration(file)]));
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
    const migrator = new Migrator({
      db,
      provider: { getMigrations: readMigrations },
      migrationTableName: "schema_migration",
      migrationLockTableName: "schema_migration_lock",
    });
    const { error, results } = await migrator.migrateToLatest();
    if (error) throw error;
    await sql`grant select on schema_migration to usageflow_app, usageflow_worker`.execute(db);
    return (results ?? []).map((result) => result.migrationName);
  } finally {
    await db.destroy();
  }
}

/** Throws unless the database has exactly the migrations that this server knows. */
export async function checkSchema(db: Db): Promise<void> {
  const known = Object.keys(await readMigrations());
  const { rows } = await sql<{ name: string }>`select name from schema_migration order by name`
    .execute(db)
    .catch(() => ({ rows: [] }));
  const ran = rows.map((row) => row.name);
  const missing = known.filter((name) => !ran.includes(name));
  const unknown = ran.filter((name) => !known.includes(name));
  if (missing.length > 0) {
    throw new Error(`the database lacks migrations (${missing.join(", ")}): run "usageflow migrate"`);
  }
  if (unknown.length > 0) {
    throw new Error(`the database has migrations of a newer server (${unknown.join(", ")}): update this one`);
  }
}
