import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import { appUrls } from "../../server/db/login.ts";
import { TEMPLATE } from "./template.ts";

/** A database of its own, cloned from the migrated template. */
export interface TestDatabase {
  ownerUrl: string;
  databaseUrl: string;
  workerDatabaseUrl: string;
  drop(): Promise<void>;
}

/** Clones a database in some 30 ms, on the server of all tests or one of the test's own. */
export async function createTestDatabase(adminUrl = inject("adminUrl")): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  await run(adminUrl, `create database ${name} template ${TEMPLATE} strategy file_copy`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  const urls = appUrls(url.href);
  return {
    ownerUrl: url.href,
    ...urls,
    drop: () => run(adminUrl, `drop database ${name} with (force)`),
  };
}

async function run(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
