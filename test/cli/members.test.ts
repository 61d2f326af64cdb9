import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { formatId } from "../../server/id.ts";
import { setup } from "../support/harness.ts";
import { memberOf } from "../support/members.ts";
import { createHere } from "./run-here.ts";

test("an access token is logged in with at a tenant, and --tenant takes the other", async () => {
  const harness = await setup();
  const { api, tenant } = harness;
  const { run } = await createHere();
  const json = async (...args: string[]) => JSON.parse((await run([...args, "--json"])).stdout);
  const login = await run(["login", "--url", api.url, "--tenant", "test"], { input: tenant.ownerToken });
  expect(login).toMatchObject({ code: 0 });
  expect(login.stdout + login.stderr).not.toContain(tenant.ownerToken);
  const who = await json("whoami");
  const id = formatId("ten", tenant.testId);
  expect(who).toMatchObject({ organization: "Acme", tenant: id, kind: "test", member: "owner@localhost" });
  expect(who).toMatchObject({ role: "owner", keyId: expect.stringMatching(/^tok_/), keyName: "first token" });
  expect(await json("whoami", "--tenant", "live")).toMatchObject({ kind: "live", profile: "default" });
  expect(await json("customers", "list")).toEqual({ customers: [] });
  expect(await run(["customers", "list", "--tenant", "other"])).toMatchObject({ code: 4 });
  expect((await json("members", "list")).members).toMatchObject([{ email: "owner@localhost", role: "ROLE_OWNER" }]);
  expect((await json("audit", "list")).auditEntries).toEqual([]);
  await run(["organization", "rename", "Acme Incorporated"]);
  expect((await json("audit", "list", "--organization")).auditEntries).toMatchObject([
    { action: "RenameOrganization" },
    { action: "InitOrganization" },
  ]);
  const tail = await run(["audit", "tail", "--organization", "--after", "1", "--count", "1"]);
  expect(tail.stdout).toMatch(/^2 .*RenameOrganization.*name: Acme -> Acme Incorporated/);
  // A tenant's API key in the environment goes before a profile, but not where it is of no use.
  const env = { USAGEFLOW_API_KEY: tenant.liveKey };
  expect(JSON.parse((await run(["whoami", "--json"], { env })).stdout)).toMatchObject({ kind: "live", member: "" });
  expect(await run(["members", "list"], { env })).toMatchObject({ code: 0 });
  // One that was typed is meant, whatever else is there: who tries what a key may do must not do it as an owner.
  const asKey = ["--api-key", tenant.testKey];
  expect(await run(["organization", "delete", "Acme Incorporated", "--yes", ...asKey])).toMatchObject({ code: 3 });
});

test("an organization without an owner who could gets one from the database itself, and its log tells of it", async () => {
  const harness = await setup();
  const { app, api, database, ownerDb } = harness;
  await sql`delete from member`.execute(ownerDb); // as it is after an upgrade from before there were members
  const { run } = await createHere({
    USAGEFLOW_OWNER_DATABASE_URL: database.ownerUrl,
    USAGEFLOW_MASTER_KEY: app.config.masterKey.toString("base64"),
    USAGEFLOW_KEY_PEPPER: app.config.keyPepper.toString("base64"),
  });
  const recover = async (...args: string[]) => run(["organization", "recover", "Ada@example.com", "--json", ...args]);
  const made = await recover();
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const { token, owner } = JSON.parse(made.stdout);
  const { tenant } = harness.clientsFor(token);
  expect((await tenant.listMembers({})).members).toMatchObject([{ id: owner, email: "ada@example.com", role: 1 }]);
  const { auditEntries } = await tenant.listAuditEntries({});
  expect(auditEntries).toMatchObject([
    { action: "RecoverOrganization", actor: "operator", subject: owner },
    { action: "InitOrganization", actor: "operator", subject: expect.stringMatching(/^org_/) },
  ]);
  const again = JSON.parse((await recover()).stdout); // their tokens were lost
  expect(again.owner).toBe(owner);
  const tail = await run(["whoami", "--url", api.url, "--api-key", again.token]);
  expect(tail.stdout).toMatch(/^Role +owner$/m);
  await harness.addOrganization("Other");
  expect(await recover()).toMatchObject({ code: 2, stderr: expect.stringMatching(/org_\w{22} {2}Acme/) });
  expect(await recover("--organization", "org_x")).toMatchObject({ code: 4 });
  expect(await recover("--organization", again.organization)).toMatchObject({ code: 0 });
});

test("a code and an operator's key that are wrong are told as such, and not as API keys", async () => {
  const { api } = await setup();
  const { run } = await createHere({ USAGEFLOW_URL: api.url });
  const code = await run(["members", "accept", "--code", "uf_inv_x"]);
  expect(code).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/^Error: this is no code of an invite: .*\nIs it the/),
  });
  const wrong = ["--owner", "ada@example.com", "--operator-key", "x"];
  const operator = await run(["organization", "create", "Acme", ...wrong]);
  expect(operator).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/no operator's key: .*\nGive with --operator-key/),
  });
});

test("an operator makes no second organization of a name unless that is said", async () => {
  const operatorKey = randomBytes(32);
  const { api, clientsFor } = await setup({ config: { operatorKey } });
  const key = operatorKey.toString("base64");
  const { run } = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_OPERATOR_KEY: key });
  const create = (name: string, ...more: string[]) =>
    run(["organization", "create", name, "--owner", "ada@example.com", ...more]);
  expect(await create("Other")).toMatchObject({ code: 0 });
  expect(await create("Other")).toEqual({
    code: 5,
    stdout: "",
    stderr: expect.stringMatching(/^Error: there is an organization "Other" already: org_\w{22}\n.*: --another\n$/),
  });
  expect(await create("Other", "--another")).toMatchObject({ code: 0 });
  expect((await create("Other")).stderr).toMatch(/already: org_\w{22}, org_\w{22}$/m);
  // A call that is made again is no second one.
  const operator = clientsFor(key).tenant;
  const request = { name: "Once", ownerEmail: "ada@example.com" };
  const again = () => operator.createOrganization(request, { headers: { "idempotency-key": "once" } });
  expect(await again()).toEqual(await again());
});

test("a token without a tenant is about the organization, and commands say what is missing", async () => {
  const harness = await setup();
  const { api, tenant } = harness;
  const { token } = await memberOf(harness, tenant, Role.BILLING);
  const { run } = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: token });
  const { stdout } = await run(["whoami"]);
  expect(stdout).toMatch(/^Organization +Acme$/m);
  expect(stdout).toMatch(/^Role +billing$/m);
  const missing = await run(["customers", "list"]);
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("--tenant") });
  expect(await run(["keys", "create", "--role", "viewer", "--tenant", "test"])).toMatchObject({ code: 3 });
  const alone = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey });
  const refused = await alone.run(["members", "list"]);
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining("a member's access token (uf_pat_...)") });
});

test("an invite that is accepted at no server is told to name one, and no API key", async () => {
  const { run } = await createHere();
  const { code, stderr } = await run(["members", "accept", "--code", "uf_inv_x"]);
  expect([code, stderr]).toEqual([6, expect.stringMatching(/\nGive its URL with --url or USAGEFLOW_URL\.\n$/)]);
});
