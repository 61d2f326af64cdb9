import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startPostgres } from "../../cli/emulator/postgres.ts";
import { makeScratch } from "./scratch.ts";
import { secretsBelow } from "./secret-scan.ts";
import { makeTemplate } from "./template.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser's URL of a database that is not a test's. */
    adminUrl: string;
  }
}

/** One PostgreSQL for the run (an embedded one, or USAGEFLOW_TEST_DATABASE_URL), with a migrated template to clone. */
export default async function setup(project: TestProject) {
  const given = process.env.USAGEFLOW_TEST_DATABASE_URL;
  const server = given ? undefined : await startEmbedded();
  const adminUrl = given ?? (server as { url: string }).url;
  await makeTemplate(adminUrl);
  project.provide("adminUrl", adminUrl);
  return () => server?.stop();
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
