import { readdir, readFile } from "node:fs/promises";
import { sql } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { systemClock } from "../clock.ts";
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

// Who waits for a lock on a table holds up all who come after: servers are at work. So a lock is waited for no longer than
// calls may be, and what was done is undone and tried again a moment later.
const LOCK_MS = 3_000;
const LOCK_PAUSE_MS = 2_000;
const LOCK_TRIES = 120;
const LOCK_NOT_HAD = "55P03";

/** What `migrate` may be told. */
export interface MigrateOptions {
  /** How long a lock is waited for. */
  lockMs?: number;
  /** Hears that a lock was not had, and that it is tried again. */
  onLockNotHad?: () => void;
}

/** Brings the schema up to date as its owner, and answers the names of the migrations that ran. */
export async function migrate(ownerUrl: string, options: MigrateOptions = {}): Promise<string[]> {
  const { lockMs = LOCK_MS, onLockNotHad } = options;
  const { db } = openDatabase({
    url: ownerUrl,
    connectionsMax: 1,
    statementTimeoutMs: 600_000,
    lockTimeoutMs: lockMs,
    onIdleError: () => {},
  });
  try {
    const migrator = new Migrator({
      db,
      provider: { getMigrations: readMigrations },
      migrationTableName: "schema_migration",
      migrationLockTableName: "schema_migration_lock",
    });
    for (let tries = 1; ; tries++) {
      const { error, results } = await migrator.migrateToLatest();
      if (!error) {
        await sql`grant select on schema_migration to usageflow_app, usageflow_worker`.execute(db);
        return (results ?? []).map((result) => result.migrationName);
      }
      if ((error as { code?: string }).code !== LOCK_NOT_HAD || tries === LOCK_TRIES) throw error;
      onLockNotHad?.();
      await systemClock.sleep(LOCK_PAUSE_MS);
    }
  } finally {
    await db.destroy();
  }
}

/** How the database's schema stands to that which this server knows. */
export interface SchemaState {
  /** The last migration that ran; empty: none did. */
  at: string;
  /** Migrations that this server knows, and the database does not have. */
  missing: string[];
  /** Migrations of a newer server. */
  unknown: string[];
}

let known: Promise<string[]> | undefined;

/** Reads how the database's schema stands. A database without any has none of the migrations. */
export async function readSchemaState(db: Db): Promise<SchemaState> {
  known ??= readMigrations().then(Object.keys);
  const names = await known;
  const { rows } = await sql<{ name: string }>`select name from schema_migration order by name`
    .execute(db)
    .catch((error) => {
      if (NO_SCHEMA.includes(error.code)) return { rows: [] };
      throw error;
    });
  const ran = rows.map((row) => row.name);
  return {
    at: ran.at(-1) ?? "",
    missing: names.filter((name) => !ran.includes(name)),
    unknown: ran.filter((name) => !names.includes(name)),
  };
}

// There is no such table, or nobody gave the right to read it: `migrate` does both.
const NO_SCHEMA = ["42P01", "42501"];

/** The database has another schema than this program knows. */
export class SchemaError extends Error {
  override name = "SchemaError";
}

/**
 * Throws unless the database has exactly the migrations that this server knows. Asked before it serves: one that serves
 * already goes on beside a newer schema, which its code is made to stand.
 */
export async function checkSchema(db: Db): Promise<void> {
  const { missing, unknown } = await readSchemaState(db);
  if (missing.length > 0) {
    throw new SchemaError(
      `the database lacks migrations (${listed(missing)}): run "usageflow migrate", then start again`,
    );
  }
  if (unknown.length > 0) {
    throw new SchemaError(
      `the database has migrations of a newer server (${listed(unknown)}): install that version here, see "usageflow status"`,
    );
  }
}

/** Names, the first of which tell enough. */
function listed(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return [...names.slice(0, NAMES_MAX), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

const NAMES_MAX = 3;
