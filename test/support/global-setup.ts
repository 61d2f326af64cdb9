import { randomBytes } from "node:crypto";
import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { startPostgres } from "../../cli/emulator/postgres.ts";
import { makeScratch } from "./scratch.ts";
import { secretsBelow } from "./secret-scan.ts";
import { makeTemplate } from "./template.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser's URL of a database that is not a test's. */
    adminUrl: string;
    /** What the names of this run's databases begin with. */
    databasePrefix: string;
  }
}

/** One PostgreSQL for the run (an embedded one, or USAGEFLOW_TEST_DATABASE_URL), with a migrated template to clone. */
export default async function setup(project: TestProject) {
  const given = process.env.USAGEFLOW_TEST_DATABASE_URL;
  const server = given ? undefined : await startEmbedded();
  const adminUrl = given ?? (server as { url: string }).url;
  await makeTemplate(adminUrl);
  const databasePrefix = `test_${randomBytes(4).toString("hex")}_`;
  project.provide("adminUrl", adminUrl);
  project.provide("databasePrefix", databasePrefix);
  return () => (server ? server.stop() : dropDatabases(adminUrl, databasePrefix));
}

async function dropDatabases(adminUrl: string, prefix: string): Promise<void> {
  const admin = new pg.Client(adminUrl);
  await admin.connect();
  const { rows } = await admin.query("select datname from pg_database where starts_with(datname, $1)", [prefix]);
  for (const { datname } of rows) await admin.query(`drop database ${datname} with (force)`);
  await admin.end();
}

async function startEmbedded() {
  const folder = await makeScratch("usageflow-test-");
  await chmod(folder, 0o755); // PostgreSQL may run under another account, and must reach its data
  const server = await startPostgres({
    dataDir: join(folder, "postgres"),
    durable: false,
    password: "test",
    settings: { autovacuum: "off", max_connections: "300" },
  });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      const secrets = await secretsBelow(join(folder, "postgres"));
      await rm(folder, { recursive: true, force: true });
      if (secrets.length > 0) throw new Error(`secrets are in the databases of the tests: ${secrets.join(", ")}`);
    },
  };
}
