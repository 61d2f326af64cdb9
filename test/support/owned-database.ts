import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject, onTestFinished } from "vitest";

const ROLES = ["usageflow_ingest", "usageflow_invoice", "usageflow_erasure", "usageflow_app", "usageflow_worker"];

/** An empty database and its owner, who is no superuser: policies bind it. Dropped when the test is finished. */
export async function createOwnedDatabase() {
  const name = `owned_${randomBytes(8).toString("hex")}`;
  const admin = new pg.Client(inject("adminUrl"));
  await admin.connect();
  await admin.query(`create role ${name} login createrole password 'test'`);
  await admin.query(`create database ${name} owner ${name}`);
  // While it has no database it has no roles either: to the doctor of another test it would be a login of a server.
  for (const role of ROLES) await admin.query(`grant ${role} to ${name} with admin option`);
  onTestFinished(async () => {
    for (const role of ROLES) await admin.query(`revoke ${role} from ${name} cascade`);
    await admin.query(`drop database ${name} with (force)`);
    await admin.query(`drop owned by ${name}`);
    await admin.query(`drop role ${name}`);
    await admin.end();
  });
  const url = new URL(inject("adminUrl"));
  url.pathname = `/${name}`;
  const adminUrl = url.href;
  url.username = name;
  url.password = "test";
  return { ownerUrl: url.href, adminUrl };
}
