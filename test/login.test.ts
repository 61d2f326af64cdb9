import { randomBytes } from "node:crypto";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { openDatabase } from "../server/db/database.ts";
import { checkLogin } from "../server/db/login.ts";
import { createTestDatabase } from "./support/database.ts";

test("a server takes a login that policies bind and that has one of the two roles, and no other", async () => {
  const database = await createTestDatabase();
  const admin = new pg.Client(database.ownerUrl);
  await admin.connect();
  const made: string[] = [];
  onTestFinished(async () => {
    for (const name of made) await admin.query(`drop owned by ${name}; drop role ${name}`);
    await admin.end();
    await database.drop();
  });
  const loginOf = async (rights: string, ...roles: string[]) => {
    const name = `login_${randomBytes(6).toString("hex")}`;
    await admin.query(`create role ${name} login ${rights} password 'test'`);
    made.push(name);
    for (const role of roles) await admin.query(`grant ${role} to ${name}`);
    return name;
  };
  const check = async (name: string, role: "usageflow_app" | "usageflow_worker") => {
    const url = new URL(database.ownerUrl);
    url.username = name;
    url.password = "test";
    const { db } = openDatabase({ url: url.href, connectionsMax: 1, statementTimeoutMs: 5_000, onIdleError: () => {} });
    try {
      await checkLogin(db, role);
      return "";
    } catch (error) {
      return (error as Error).message;
    } finally {
      await db.destroy();
    }
  };
  const app = await loginOf("", "usageflow_app");
  const worker = await loginOf("", "usageflow_worker");
  expect([await check(app, "usageflow_app"), await check(worker, "usageflow_worker")]).toEqual(["", ""]);
  expect(await check(app, "usageflow_worker")).toMatch(/has the rights of usageflow_app/);
  expect(await check(worker, "usageflow_app")).toMatch(/has the rights of usageflow_worker/);
  expect(await check(await loginOf(""), "usageflow_app")).toMatch(/is no member of usageflow_app/);
  expect(await check(await loginOf("bypassrls", "usageflow_app"), "usageflow_app")).toMatch(/would not bind it/);
  expect(await check(await loginOf("superuser"), "usageflow_app")).toMatch(/would not bind it/);
  // One login for both sees the work of all tenants in the calls of each; also where it had to ask for that first.
  for (const rights of ["inherit", "noinherit"]) {
    const both = await loginOf(rights, "usageflow_app", "usageflow_worker");
    expect(await check(both, "usageflow_app")).not.toBe("");
  }
  const owner = await loginOf("", "usageflow_app");
  await admin.query(`create table login_own (); alter table login_own owner to ${owner}`);
  expect(await check(owner, "usageflow_app")).toMatch(/owns tables/);
});
