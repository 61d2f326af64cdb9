import { readFile } from "node:fs/promises";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { migrate } from "../../server/db/migrate.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { createOwnedDatabase } from "../support/owned-database.ts";

// Upgrades run the old version and the new one side by side, on the new schema: it may only be added to until the old one is
// gone. Every statement that the release before sent, under its role, must still be one that this schema takes.
//
// What the release before sent is in a file, recorded from its own tests, in a checkout of it (its every-command test reaches every RPC):
//
//   USAGEFLOW_TEST_STATEMENTS=statements.ndjson NODE_OPTIONS="--import $PWD/test/support/record-statements.ts" \
//     npx vitest run test/cli/every-command.test.ts test/journey/random-tenant.test.ts test/webhook/keep-log.test.ts
//   sort -u statements.ndjson > test/journey/statements-before.ndjson
//
// Recorded before there were an audit log, members, metrics and traces: the schema up to 0051_api_key.

interface Sent {
  role: "usageflow_app" | "usageflow_worker";
  text: string;
}

const lines = (await readFile(new URL("statements-before.ndjson", import.meta.url), "utf8")).trim().split("\n");
const statements = lines.map((line) => JSON.parse(line) as Sent);

/** What the schema does not take any more, with its reason. Planning it looks up every name and every right, and runs nothing. */
async function refused(database: TestDatabase): Promise<string[]> {
  const found: string[] = [];
  const urls = { usageflow_app: database.databaseUrl, usageflow_worker: database.workerDatabaseUrl };
  for (const [role, url] of Object.entries(urls)) {
    const client = new pg.Client(url);
    await client.connect();
    for (const { text } of statements.filter((one) => one.role === role)) {
      const plan = client.query(`explain (generic_plan, costs off) ${text}`);
      await plan.catch((error) => found.push(`${role}: ${error.message}: ${text.slice(0, 200)}`));
    }
    await client.end();
  }
  return found;
}

test("the release before can send all that it sends to this schema, and what cannot be sent any more is found", async () => {
  expect(statements.length).toBeGreaterThan(250);
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  expect(await refused(database)).toEqual([]);
  const owner = new pg.Client(database.ownerUrl);
  await owner.connect();
  await owner.query("alter table invoice rename column finalize_at to final_at");
  await owner.query("revoke update (state, completed_at) on delivery from usageflow_app");
  await owner.end();
  const found = await refused(database);
  expect(found.filter((one) => one.includes('column "finalize_at"')).length).toBeGreaterThan(0);
  expect(found.filter((one) => one.includes("permission denied for table delivery")).length).toBeGreaterThan(0);
});

test("columns that were added may be left out by who does not know them", async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const owner = new pg.Client(database.ownerUrl);
  await owner.connect();
  onTestFinished(() => owner.end());
  const missing: string[] = [];
  for (const { text } of statements) {
    const [, table, columns] = /\binsert into "?(\w+)"?(?: as "?\w+"?)? \(([^()]*)\)/.exec(text) ?? [];
    if (!table || !columns) continue;
    const given = columns.split(",").map((name) => name.trim().replaceAll('"', ""));
    const { rows } = await owner.query(
      `select attname from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
        and attnotnull and not atthasdef and attidentity = '' and attgenerated = '' and attname <> all ($2::text[])`,
      [table, given],
    );
    missing.push(...rows.map((row) => `${table}.${row.attname}`));
  }
  expect([...new Set(missing)]).toEqual([]);
});

test("a migration that does not get its lock is undone, and tried again until it does", async () => {
  const { ownerUrl } = await createOwnedDatabase();
  const holder = new pg.Client(ownerUrl);
  await holder.connect();
  onTestFinished(() => holder.end());
  await holder.query("begin; create table schema_migration (in_the_way integer)");
  let tries = 0;
  const onLockNotHad = () => {
    tries++;
    void holder.query("rollback");
  };
  expect(await migrate(ownerUrl, { lockMs: 100, onLockNotHad })).toContain("0001_tenant");
  expect(tries).toBeGreaterThan(0); // once more where other databases of the server are migrated too: they share its roles
});
