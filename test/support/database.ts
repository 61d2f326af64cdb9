import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import { appUrls } from "../../server/db/login.ts";
import { emptied, shapeOf } from "./emptied.ts";
import { TEMPLATE } from "./template.ts";

/** A database of a test's own, like the migrated template. */
export interface TestDatabase {
  ownerUrl: string;
  databaseUrl: string;
  workerDatabaseUrl: string;
  /** Gives it back. */
  drop(): Promise<void>;
}

interface Cloned {
  name: string;
  /** What it was like when it was cloned. */
  shape: string;
}

/** Databases that were emptied, by their servers. */
const spare = new Map<string, Cloned[]>();

/**
 * A database like the template, on the server of all tests or one of the test's own: one that a test before gave back, or a
 * clone, which takes some 30 ms. To empty one that a test used costs a third of dropping it and cloning another.
 */
export async function createTestDatabase(adminUrl = inject("adminUrl")): Promise<TestDatabase> {
  const rest = spare.get(adminUrl) ?? [];
  spare.set(adminUrl, rest);
  const taken = rest.pop() ?? (await clone(adminUrl));
  const ownerUrl = urlOf(adminUrl, taken.name);
  return {
    ownerUrl,
    ...appUrls(ownerUrl),
    async drop() {
      const isLikeNew = await run(ownerUrl, (client) => emptied(client, taken.shape));
      if (isLikeNew) rest.push(taken);
      else await run(adminUrl, (client) => client.query(`drop database ${taken.name} with (force)`));
    },
  };
}

async function clone(adminUrl: string): Promise<Cloned> {
  const name = inject("databasePrefix") + randomBytes(6).toString("hex");
  await run(adminUrl, (client) => client.query(`create database ${name} template ${TEMPLATE} strategy file_copy`));
  return { name, shape: await run(urlOf(adminUrl, name), shapeOf) };
}

function urlOf(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function run<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
