import type pg from "pg";

// A database that a test used is like the template again when its tables are empty and nothing else was changed.

/** Where PostgreSQL keeps what a schema is, and what planners know of tables; and what the migrations left in tables. */
const CATALOGS = [
  ...[
    "class",
    "attribute",
    "attrdef",
    "index",
    "constraint",
    "inherits",
    "type",
    "proc",
    "trigger",
    "policy",
    "rewrite",
  ],
  ...["namespace", "sequence", "statistic", "statistic_ext", "default_acl", "publication", "extension", "largeobject"],
].map((name) => `pg_${name}`);
const MIGRATED = ["schema_migration", "schema_migration_lock"];
/** Ten pages: below, planners take every table that was never analyzed for one of ten. So they do when it is new. */
const BYTES_MAX = 10 * 8_192;

const SHAPE = [...CATALOGS, ...MIGRATED]
  .map((name) => `select '${name}', count(*), max(xmin::text::bigint) from ${name}`)
  .join(" union all ");
const SETTINGS = `select setconfig from pg_db_role_setting
  where setdatabase = (select oid from pg_database where datname = current_database())`;

/** Another answer than before: something else than the rows of tables was changed. */
export async function shapeOf(client: pg.Client): Promise<string> {
  const shape = await client.query({ text: SHAPE, rowMode: "array" });
  const settings = await client.query(SETTINGS);
  return JSON.stringify([shape.rows, settings.rows]);
}

/** Deletes all rows, as the superuser. False: the database can't be taken again, and may hold some still. */
export async function emptied(client: pg.Client, shape: string): Promise<boolean> {
  const { rows: others } = await client.query<{ state: string }>(
    `select state, pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  if (others.some(({ state }) => state !== "idle")) return false; // what they do may come after this
  if ((await shapeOf(client)) !== shape) return false;
  const { rows: used } = await client.query<{ name: string; large: boolean }>(
    `select oid::regclass::text as name, size > $2 as large from pg_class, pg_relation_size(oid) as size
     where relnamespace = 'public'::regnamespace and relkind = 'r' and size > 0 and relname <> all($1)`,
    [MIGRATED, BYTES_MAX],
  );
  if (used.some(({ large }) => large)) return false;
  const deletions = used.map(({ name }) => `delete from ${name};`);
  await client.query(`begin; set local session_replication_role = replica; ${deletions.join(" ")} commit`); // all at once, in any order
  return true;
}
