import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../../server/api.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { createHere } from "./run-here.ts";

async function start() {
  const harness = await setup();
  const here = await createHere();
  const env = { USAGEFLOW_URL: harness.api.url, USAGEFLOW_API_KEY: harness.tenant.testKey };
  const { tenant } = harness.clients;
  await tenant.putCustomer({ customer: { id: "c", name: "Ada" } });
  await tenant.putCustomer({ customer: { id: "c", name: "Grace" } });
  await tenant.createApiKey({ role: Role.VIEWER, name: "reports" });
  return { ...harness, ...here, audit: (...args: string[]) => here.run(["audit", ...args], { env }) };
}

test("the log is listed with what changed, and tailed on lines", async () => {
  const { audit } = await start();
  const { stdout } = await audit("list", "--action", "PutCustomer");
  expect(stdout.trimEnd().split("\n").length).toBe(3);
  expect(stdout).toMatch(/^ENTRY +WHEN +BY +ACTION +SUBJECT +CHANGE +FROM\n/);
  expect(stdout).toMatch(/ 2 .* key_\w{22} +PutCustomer +c +name: Ada -> Grace +.*127\.0\.0\.1/);
  expect(stdout).toMatch(/ 1 .* key_\w{22} +PutCustomer +c +made /);
  expect((await audit("list", "--subject", "c", "--refused")).stdout).not.toContain("PutCustomer");
  const tail = await audit("tail", "--after", "1", "--count", "2");
  expect(tail.stdout).toMatch(/^2 .*name: Ada -> Grace.*\n3 .*CreateApiKey {2}key_\w+ {2}made/);
});

test("a terminal of 80 columns shows who did what, when and to what, and that it was refused", async () => {
  const { run, api, clients, clientsFor, tenant } = await start();
  const owner = clientsFor(tenant.ownerToken).tenant;
  const { member } = await owner.inviteMember({ email: "ada@example.com", role: Role.VIEWER });
  const id = member?.id ?? "";
  await owner.changeMemberRole({ id, role: Role.DEVELOPER });
  const viewer = await clients.tenant.createApiKey({ role: Role.VIEWER });
  await refused(clientsFor(viewer.secret).tenant.createApiKey({ role: Role.VIEWER }));
  const list = async (key: string, ...args: string[]) => {
    const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: key };
    const found = await run(["audit", "list", ...args], { env, columns: 80 });
    return stripVTControlCharacters(found.stdout);
  };
  const endOf = (text = "") => text.slice(-7);
  const changed = await list(tenant.ownerToken, "--organization", "--action", "ChangeMemberRole");
  expect(changed).toMatch(/^ENTRY +WHEN +BY +ACTION +SUBJECT( +CHANGE)?\n/);
  expect(changed).toMatch(new RegExp(` mem_…?\\w+ +ChangeMemberRole +mem_…?\\w*${endOf(id)}`));
  await expect
    .poll(() => list(tenant.testKey, "--refused"))
    .toMatch(new RegExp(` key_…?\\w*${endOf(viewer.apiKey?.id)} +CreateApiKey +refused: PERM`));
  const { stdout } = await run(["audit", "list", "--organization", "--action", "ChangeMemberRole"], {
    env: { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.ownerToken },
  });
  expect(stdout).toContain(" role: viewer -> developer ");
});

test("an export is a file of lines whose head verifies, as long as nobody cuts the log", async () => {
  const { audit, folder, ownerDb } = await start();
  const file = join(folder, "audit.ndjson");
  const { head, rows } = JSON.parse((await audit("export", "--out", file, "--json")).stdout);
  expect(rows).toBe(4);
  const lines = (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map((line) => line.action)).toEqual(["PutCustomer", "PutCustomer", "CreateApiKey", "ExportAudit"]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await audit("verify", "--head", head)).toMatchObject({ code: 0, stdout: `${head}\n` });
  await sql`delete from audit_entry where sequence = 4`.execute(ownerDb);
  await sql`update audit_head h set sequence = 3, hash = e.hash from audit_entry e where e.sequence = 3`.execute(
    ownerDb,
  );
  expect((await audit("verify")).code).toBe(0);
  expect(await audit("verify", "--head", head)).toMatchObject({ code: 1, stdout: "Entry 4 is missing.\n" });
  await sql`update audit_entry set subject = 'd' where sequence = 2`.execute(ownerDb);
  const { code, stdout } = await audit("verify", "--json");
  expect([code, JSON.parse(stdout)]).toEqual([
    1,
    expect.objectContaining({ breach: "changed", entry: 2, verified: 1 }),
  ]);
  expect(await audit("verify", "--head", "4")).toMatchObject({ code: 2 });
});

test("an entry of a key that the server does not have is told with where that key belongs", async () => {
  const { run, addApp, app, tenant } = await start();
  const masterKey = randomBytes(32);
  await addApp({ masterKey, otherMasterKeys: [app.config.masterKey] });
  const api = await startApi(await addApp({ masterKey }));
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const { code, stdout, stderr } = await run(["audit", "verify"], { env });
  await api.close();
  expect([code, stdout]).toEqual([1, "Entry 1 was hashed with a master key that the server does not have.\n"]);
  expect(stderr).toContain("USAGEFLOW_OTHER_MASTER_KEYS");
});
