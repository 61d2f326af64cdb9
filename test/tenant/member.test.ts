import { randomBytes } from "node:crypto";
import { getOption } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { MemberState } from "../../gen/usageflow/v1/organization_pb.ts";
import { Place, permission, place, Role, subject } from "../../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../../server/api.ts";
import { purgeAnswers } from "../../server/rpc/purge-answers.ts";
import { createClients } from "../support/clients.ts";
import { type Harness, setup } from "../support/harness.ts";
import { memberOf, memberRoles } from "../support/members.ts";
import { refused } from "../support/refused.ts";
import { SERVER_KEYS } from "../support/secret-scan.ts";
import { services } from "../support/services.ts";

const HOUR = 3_600n;
const DAY = 24n * HOUR;
const UNKNOWN = { code: 16, reason: ErrorReason.KEY_UNKNOWN };
const DENIED = { code: 7, reason: ErrorReason.PERMISSION_DENIED };
const CONFLICT = { code: 9, reason: ErrorReason.STATE_CONFLICT };

const ownerOf = ({ clientsFor, tenant }: Harness) => clientsFor(tenant.ownerToken).tenant;

test("an invite is taken up once, by whoever has its code, and the answer can be had again", async () => {
  const harness = await setup();
  const { clientsFor, clock } = harness;
  const owner = ownerOf(harness);
  const { member, code } = await owner.inviteMember({ email: "Ada@Example.com", role: Role.DEVELOPER });
  expect(member).toMatchObject({ email: "ada@example.com", role: Role.DEVELOPER, state: MemberState.INVITED });
  expect(await refused(clientsFor(code).tenant.getOrganization({}))).toMatchObject(DENIED);
  const headers = { "idempotency-key": "accept" };
  const made = await clientsFor(code).tenant.acceptInvite({ name: "Ada", expiresIn: { seconds: HOUR } }, { headers });
  expect(made.member).toMatchObject({ id: member?.id, name: "Ada", state: MemberState.JOINED });
  const again = await clientsFor(code).tenant.acceptInvite({ name: "Ada", expiresIn: { seconds: HOUR } }, { headers });
  expect(again.secret).toBe(made.secret);
  expect(await refused(clientsFor(code).tenant.acceptInvite({}))).toMatchObject(CONFLICT);
  const who = await clientsFor(made.secret).tenant.getOrganization({});
  expect(who).toMatchObject({ organization: { name: "Acme" }, member: { name: "Ada" }, accessToken: made.accessToken });
  expect((await clientsFor(made.secret, "test").tenant.getTenant({})).member).toMatchObject({ name: "Ada" });
  expect((await owner.listMembers({})).members.map((one) => one.email)).toEqual(["owner@localhost", "ada@example.com"]);
  const twice = refused(owner.inviteMember({ email: "ADA@example.com", role: Role.VIEWER }));
  expect(await twice).toMatchObject({ code: 6, field: "email" });
  clock.advance(Number(HOUR) * 1_000);
  const late = await refused(clientsFor(made.secret).tenant.getOrganization({}));
  expect(late).toMatchObject({ code: 16, reason: ErrorReason.KEY_EXPIRED });
});

test("an invite ends: when it expires, when another takes its place, and when it is taken back", async () => {
  const harness = await setup();
  const { clientsFor, clock } = harness;
  const owner = ownerOf(harness);
  const email = "ada@example.com";
  const first = await owner.inviteMember({ email, role: Role.VIEWER });
  const second = await owner.inviteMember({ email, role: Role.DEVELOPER, expiresIn: { seconds: HOUR } });
  expect(second.member?.id).toBe(first.member?.id);
  expect(await refused(clientsFor(first.code).tenant.acceptInvite({}))).toMatchObject(UNKNOWN);
  clock.advance(Number(HOUR) * 1_000);
  const late = await refused(clientsFor(second.code).tenant.acceptInvite({}));
  expect(late).toMatchObject({ code: 16, reason: ErrorReason.KEY_EXPIRED });
  const third = await owner.inviteMember({ email, role: Role.DEVELOPER });
  await owner.removeMember({ id: third.member?.id ?? "" });
  expect(await refused(clientsFor(third.code).tenant.acceptInvite({}))).toMatchObject(UNKNOWN);
});

test("nobody raises themselves: not by an invite, a role, a key, or what they kept from better days", async () => {
  const harness = await setup();
  const { clientsFor, tenant } = harness;
  const owner = ownerOf(harness);
  const admin = await memberOf(harness, tenant, Role.ADMIN);
  const own = clientsFor(admin.token).tenant;
  const ownerId = (await owner.listMembers({})).members[0]?.id ?? "";
  expect(await refused(own.inviteMember({ email: "a@b", role: Role.OWNER }))).toMatchObject(DENIED);
  expect(await refused(own.changeMemberRole({ id: admin.id, role: Role.OWNER }))).toMatchObject(DENIED);
  expect(await refused(own.changeMemberRole({ id: ownerId, role: Role.VIEWER }))).toMatchObject(DENIED);
  expect(await refused(own.removeMember({ id: ownerId }))).toMatchObject(DENIED);
  const inTest = clientsFor(admin.token, "test").tenant;
  expect(await refused(inTest.createApiKey({ role: Role.OWNER }))).toMatchObject(DENIED);
  const ownersInvite = await owner.inviteMember({ email: "a@b", role: Role.OWNER });
  expect(await refused(own.inviteMember({ email: "a@b", role: Role.VIEWER }))).toMatchObject(DENIED);
  expect(await refused(own.removeMember({ id: ownersInvite.member?.id ?? "" }))).toMatchObject(DENIED);
  // A code that an admin made, and keeps for the day after.
  const { code, member } = await own.inviteMember({ email: "friend@b", role: Role.ADMIN });
  await owner.changeMemberRole({ id: admin.id, role: Role.VIEWER });
  expect(await refused(clientsFor(code).tenant.acceptInvite({}))).toMatchObject(DENIED);
  // Within the second in which the role before may still be known, members are asked for as they are.
  expect(await refused(own.changeMemberRole({ id: member?.id ?? "", role: Role.VIEWER }))).toMatchObject(DENIED);
  await owner.changeMemberRole({ id: member?.id ?? "", role: Role.ADMIN });
  expect(await refused(clientsFor(code).tenant.acceptInvite({}))).toBeUndefined();
  for (const role of [Role.DEVELOPER, Role.BILLING, Role.VIEWER]) {
    const other = clientsFor((await memberOf(harness, tenant, role)).token).tenant;
    expect(await refused(other.inviteMember({ email: "c@d", role: Role.VIEWER }))).toMatchObject(DENIED);
  }
});

test("the last owner stays, whoever asks and however many ask at once", async () => {
  const harness = await setup();
  const { clientsFor, tenant } = harness;
  const owner = ownerOf(harness);
  const id = (await owner.listMembers({})).members[0]?.id ?? "";
  await owner.inviteMember({ email: "a@b", role: Role.OWNER }); // who has not come is no owner yet
  expect(await refused(owner.removeMember({ id }))).toMatchObject(CONFLICT);
  expect(await refused(owner.changeMemberRole({ id, role: Role.ADMIN }))).toMatchObject(CONFLICT);
  expect(await refused(owner.changeMemberRole({ id, role: Role.OWNER }))).toBeUndefined();
  const second = await memberOf(harness, tenant, Role.OWNER);
  const other = clientsFor(second.token).tenant;
  await Promise.all([
    refused(owner.changeMemberRole({ id: second.id, role: Role.VIEWER })),
    refused(other.removeMember({ id })),
    refused(owner.removeMember({ id })),
    refused(other.changeMemberRole({ id: second.id, role: Role.ADMIN })),
  ]);
  const { rows } = await sql<{ role: string }>`
    select role from member where joined_at is not null and role = 'OWNER'`.execute(harness.ownerDb);
  expect(rows.length).toBe(1);
});

test("a removed member and a lowered role are known at another process within a second", async () => {
  const harness = await setup();
  const { addApp, clock, tenant } = harness;
  const other = await startApi(await addApp());
  const owner = ownerOf(harness);
  const { id, token } = await memberOf(harness, tenant, Role.ADMIN);
  const there = createClients(other.url, token, "test").tenant;
  expect(await refused(there.updateTenant({ memo: "a" }))).toBeUndefined();
  await owner.changeMemberRole({ id, role: Role.VIEWER });
  clock.advance(1_000);
  expect(await refused(there.updateTenant({ memo: "b" }))).toMatchObject(DENIED);
  expect(await refused(there.getTenant({}))).toBeUndefined();
  await owner.removeMember({ id });
  expect(await refused(createClients(other.url, token).tenant.createAccessToken({}))).toMatchObject(UNKNOWN);
  clock.advance(1_000);
  expect(await refused(there.getTenant({}))).toMatchObject(UNKNOWN);
  await other.close();
});

test("an access token makes none that outlives its own whole life, and a member's key need not end", async () => {
  const harness = await setup();
  const { clientsFor, clock, tenant } = harness;
  const { secret } = await ownerOf(harness).createAccessToken({ name: "for a day", expiresIn: { seconds: DAY } });
  const own = clientsFor(secret).tenant;
  expect(await refused(own.createAccessToken({ expiresIn: { seconds: DAY + 1n } }))).toMatchObject(DENIED);
  clock.advance(Number(DAY - HOUR) * 1_000);
  const renewed = await own.createAccessToken({});
  const left = Number(renewed.accessToken?.expiresAt?.seconds) - Math.floor(clock.now().getTime() / 1_000);
  expect(left).toBe(Number(DAY));
  expect(await refused(own.createAccessToken({ expiresIn: { seconds: 367n * DAY } }))).toMatchObject({ code: 3 });
  const key = await clientsFor(tenant.ownerToken, "test").tenant.createApiKey({ role: Role.INGEST });
  expect(key.apiKey?.expiresAt).toBeUndefined();
});

test("tokens are seen and revoked by their member, and by who may change that member", async () => {
  const harness = await setup();
  const { clientsFor, tenant } = harness;
  const admin = await memberOf(harness, tenant, Role.ADMIN);
  const viewer = await memberOf(harness, tenant, Role.VIEWER);
  const asAdmin = clientsFor(admin.token).tenant;
  const asViewer = clientsFor(viewer.token).tenant;
  const [ownersToken] = (await ownerOf(harness).listAccessTokens({})).accessTokens;
  const [viewersToken] = (await asAdmin.listAccessTokens({ memberId: viewer.id })).accessTokens;
  expect(viewersToken).toMatchObject({ memberId: viewer.id, name: "first token" });
  expect(viewersToken?.prefix).toMatch(/^uf_pat_.{5}\.\.\..{4}$/);
  expect(await refused(asViewer.listAccessTokens({ memberId: admin.id }))).toMatchObject(DENIED);
  expect(await refused(asAdmin.revokeAccessToken({ id: ownersToken?.id ?? "" }))).toMatchObject(DENIED);
  const [adminsToken] = (await asAdmin.listAccessTokens({})).accessTokens;
  expect(await refused(asViewer.revokeAccessToken({ id: adminsToken?.id ?? "" }))).toMatchObject({ code: 5 });
  const { secret, accessToken } = await asViewer.createAccessToken({});
  await asViewer.revokeAccessToken({ id: accessToken?.id ?? "" });
  expect(await refused(clientsFor(secret).tenant.getOrganization({}))).toMatchObject(UNKNOWN);
  const once = await asAdmin.revokeAccessToken({ id: viewersToken?.id ?? "" });
  expect(await asAdmin.revokeAccessToken({ id: viewersToken?.id ?? "" })).toEqual(once);
});

test("what a member did at a tenant is told with the member's id", async () => {
  const harness = await setup();
  const { clients, clientsFor, tenant, ownerDb } = harness;
  const admin = await memberOf(harness, tenant, Role.ADMIN);
  const own = clientsFor(admin.token, "test");
  await own.tenant.putCustomer({ customer: { id: "user_123" } });
  const [entry] = (await clients.tenant.listAuditEntries({})).auditEntries;
  expect(entry).toMatchObject({ action: "PutCustomer", actor: admin.id, keyId: expect.stringMatching(/^tok_/) });
  await own.pricing.pushCatalog({ catalog: { metrics: [{ key: "M", aggregation: 1 }] } });
  await own.usage.trackUsage({ events: [{ metric: "M", amount: "1", customerId: "user_123", idempotencyKey: "a" }] });
  await own.usage.voidUsage({ idempotencyKeys: ["a"], reason: "x" });
  await harness.drain();
  const { voided } = await own.usage.explainUsageEvent({ idempotencyKey: "a" });
  expect(voided?.keyId).toBe(admin.id);
  const dump = await sql`select t::text from audit_entry t`.execute(ownerDb);
  expect(JSON.stringify(dump.rows)).not.toMatch(/uf_(live|test|pat|inv)_[0-9A-Za-z]{20}/);
});

test("a repeated call makes no second organization, whatever pepper is in use, nor when its answer is forgotten", async () => {
  const operatorKey = SERVER_KEYS.operator;
  const { addApp, api, app, clock } = await setup({ config: { operatorKey } });
  const key = operatorKey.toString("base64");
  const request = { name: "Once", ownerEmail: "a@example.com" };
  const create = (url: string) =>
    createClients(url, key).tenant.createOrganization(request, { headers: { "idempotency-key": "once" } });
  const made = await create(api.url);
  const peppers = { keyPepper: randomBytes(32), otherKeyPeppers: [app.config.keyPepper] };
  const other = await startApi(await addApp({ operatorKey, ...peppers }));
  expect(await create(other.url)).toEqual(made);
  await other.close();
  clock.advance(app.config.answerRetentionMs + 1);
  await purgeAnswers(app);
  expect(await refused(create(api.url))).toMatchObject({
    code: Code.AlreadyExists,
    reason: ErrorReason.IDEMPOTENCY_CONFLICT,
    field: "idempotency-key",
  });
});

test("the organization's own log has what is its own, from each method one entry, and none from a repeated call", async () => {
  const harness = await setup({ config: { operatorKey: SERVER_KEYS.operator } });
  const { clientsFor } = harness;
  const operator = clientsFor(SERVER_KEYS.operator.toString("base64")).tenant;
  const headers = { "idempotency-key": "create" };
  const request = { name: "Made by call", ownerEmail: "First@Example.com" };
  const made = await operator.createOrganization(request, { headers });
  expect(await operator.createOrganization(request, { headers })).toEqual(made);
  expect(made.owner).toMatchObject({ email: "first@example.com", role: Role.OWNER, state: MemberState.JOINED });
  for (const key of [made.liveKey, made.testKey]) {
    expect((await clientsFor(key).tenant.getTenant({})).tenant?.organization).toBe("Made by call");
  }
  const owner = clientsFor(made.ownerToken).tenant;
  const log = async () => (await owner.listAuditEntries({})).auditEntries.toReversed();
  const told = ["CreateOrganization operator operator"];
  const step = async <Answer>(name: string, call: (h: { headers: Record<string, string> }) => Promise<Answer>) => {
    const answer = await call({ headers: { "idempotency-key": name } });
    expect(await call({ headers: { "idempotency-key": name } })).toEqual(answer);
    told.push(`${name} ${name === "AcceptInvite" ? "mem_ mem_" : "mem_ tok_"}`);
    return answer;
  };
  await step("RenameOrganization", (o) => owner.renameOrganization({ name: "New" }, o));
  await step("DeleteOrganization", (o) => owner.deleteOrganization({ name: "New" }, o));
  await step("CancelOrganizationDeletion", (o) => owner.cancelOrganizationDeletion({}, o));
  const invited = await step("InviteMember", (o) => owner.inviteMember({ email: "a@b", role: Role.VIEWER }, o));
  const accepted = await step("AcceptInvite", (o) => clientsFor(invited.code).tenant.acceptInvite({ name: "A" }, o));
  const id = invited.member?.id ?? "";
  await step("ChangeMemberRole", (o) => owner.changeMemberRole({ id, role: Role.ADMIN }, o));
  const token = await step("CreateAccessToken", (o) => owner.createAccessToken({}, o));
  await step("RevokeAccessToken", (o) => owner.revokeAccessToken({ id: token.accessToken?.id ?? "" }, o));
  await step("RemoveMember", (o) => owner.removeMember({ id }, o));
  const entries = await log();
  expect(entries.map(({ action, actor, keyId }) => `${action} ${shown(actor)} ${shown(keyId)}`)).toEqual(told);
  const audited = services
    .flatMap((service) => service.methods)
    .filter((method) => getOption(method, permission).endsWith(":write") && getOption(method, subject) !== "")
    .filter((method) => getOption(method, place) !== Place.UNSPECIFIED);
  expect(entries.map(({ action }) => action).sort()).toEqual(audited.map(({ name }) => name).sort());
  const secrets = [made.liveKey, made.testKey, made.ownerToken, invited.code, accepted.secret, token.secret];
  const dump = JSON.stringify((await sql`select t::text from audit_entry t`.execute(harness.ownerDb)).rows);
  for (const secret of secrets) expect(dump).not.toContain(secret);
  expect(entries.at(-1)).toMatchObject({ subject: id, before: { email: "a@b", role: "ROLE_ADMIN" } });
  expect(entries.at(-1)?.after).toBeUndefined();
  const verified = await owner.verifyAudit({});
  expect(verified).toMatchObject({ breach: 0, head: { sequence: BigInt(told.length) } });
  const exported: string[] = [];
  for await (const { part } of owner.exportAudit({})) exported.push(part.case ?? "");
  expect(exported.length).toBe(told.length + 2);
  await sql`update audit_entry set actor = 'mem_x' where action = 'InviteMember'`.execute(harness.ownerDb);
  expect(await owner.verifyAudit({})).toMatchObject({ breach: 2, breachSequence: 5n });
});

const shown = (id: string) => id.replace(/_.*/, "_");

test("a refused member is told of where the attempt was: at the tenant, or at the organization", async () => {
  const harness = await setup();
  const { clients, clientsFor, tenant } = harness;
  const { id, token } = await memberOf(harness, tenant, Role.VIEWER);
  await refused(clientsFor(token, "test").tenant.putCustomer({ customer: { id: "c" } }));
  await refused(clientsFor(token).tenant.renameOrganization({ name: "Mine" }));
  const isOther = tenant.ownerToken.endsWith("0") ? "1" : "0";
  await refused(clientsFor(tenant.ownerToken.slice(0, -1) + isOther).tenant.getOrganization({})); // mistyped: nowhere
  const refusals = async (service: typeof clients.tenant) => {
    for (;;) {
      const { auditEntries } = await service.listAuditEntries({ filter: { refused: true } });
      if (auditEntries.length > 0) return auditEntries;
    }
  };
  expect(await refusals(clients.tenant)).toMatchObject([{ action: "PutCustomer", actor: id }]);
  expect(await refusals(ownerOf(harness))).toMatchObject([{ action: "RenameOrganization", actor: id }]);
});

test("every role of a member opens every tenant of the organization, and no other", async () => {
  const harness = await setup();
  const { clientsFor, tenant } = harness;
  for (const role of memberRoles) {
    const { token } = await memberOf(harness, tenant, role);
    const kinds = ["live", "test"].map(async (named) => (await clientsFor(token, named).tenant.getTenant({})).tenant);
    expect((await Promise.all(kinds)).map((one) => one?.kind)).toEqual([1, 2]);
    expect(await refused(clientsFor(token, "other").tenant.getTenant({}))).toMatchObject({ code: 5 });
    const nowhere = await refused(clientsFor(token).tenant.getTenant({}));
    expect(nowhere).toMatchObject({ code: 3, field: "x-usageflow-tenant" });
  }
});
