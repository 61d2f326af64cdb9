import pg from "pg";
import { setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";

export const TEMPLATE = "template_usageflow";

/** Makes the migrated database that each test clones, on a server. */
export async function makeTemplate(adminUrl: string): Promise<void> {
  const admin = new pg.Client(adminUrl);
  await admin.connect();
  await admin.query(`drop database if exists ${TEMPLATE}`);
  await admin.query(`create database ${TEMPLATE}`);
  await admin.end();
  const template = new URL(adminUrl);
  template.pathname = `/${TEMPLATE}`;
  await migrate(template.href);
  await setLoginPasswords(template.href);
}
