import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { purgeAnswers } from "../../server/rpc/purge-answers.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, setup } from "../support/harness.ts";
import { memberOf } from "../support/members.ts";
import { refused } from "../support/refused.ts";

const once = (key: string) => ({ headers: { "idempotency-key": key } });
const request = { name: "backend", role: Role.INGEST };
const keyCount = async ({ ownerDb }: Harness) =>
  (await ownerDb.selectFrom("api_key").select("id").where("name", "=", "backend").execute()).length;

test("a repeated call gets the first answer again, its secret included, and changes nothing", async () => {
  const harness = await setup();
  const { tenant } = harness.clients;
  const first = await tenant.createApiKey(request, once("a"));
  const again = await tenant.createApiKey(request, once("a"));
  expect(again).toEqual(first);
  expect(first.secret).toMatch(/^uf_test_/);
  expect(await keyCount(harness)).toBe(1);
  expect((await tenant.createApiKey(request, once("b"))).secret).not.toBe(first.secret);
  expect((await tenant.createApiKey(request)).secret).not.toBe(first.secret);
  expect(await keyCount(harness)).toBe(3);
});

test("the same key with another request or another method is refused", async () => {
  const harness = await setup();
  const { tenant } = harness.clients;
  await tenant.createApiKey(request, once("a"));
  const conflict = { code: 6, reason: ErrorReason.IDEMPOTENCY_CONFLICT, field: "idempotency-key" };
  expect(await refused(tenant.createApiKey({ ...request, role: Role.VIEWER }, once("a")))).toEqual(conflict);
  expect(await refused(tenant.putCustomer({ customer: { id: "c" } }, once("a")))).toEqual(conflict);
  expect(await keyCount(harness)).toBe(1);
});

test("a secret in an answer is told again to nobody but who made it", async () => {
  const harness = await setup();
  const { clients, clientsFor, tenant } = harness;
  const conflict = { code: 6, reason: ErrorReason.IDEMPOTENCY_CONFLICT };
  const viewer = clientsFor((await memberOf(harness, tenant, Role.VIEWER)).token).tenant;
  const token = { name: "ci" };
  const { secret } = await clientsFor(tenant.ownerToken).tenant.createAccessToken(token, once("a"));
  expect(await refused(viewer.createAccessToken(token, once("a")))).toMatchObject(conflict);
  expect((await clientsFor(tenant.ownerToken).tenant.createAccessToken(token, once("a"))).secret).toBe(secret);

  const admin = clientsFor((await clients.tenant.createApiKey({ name: "admin", role: Role.ADMIN })).secret);
  await clients.tenant.createApiKey(request, once("b"));
  expect(await refused(admin.tenant.createApiKey(request, once("b")))).toMatchObject(conflict);
  const { apiKey } = await clients.tenant.createApiKey({ role: Role.OWNER });
  await clients.tenant.rotateApiKey({ id: apiKey?.id ?? "" }, once("e"));
  expect(await refused(admin.tenant.rotateApiKey({ id: apiKey?.id ?? "" }, once("e")))).toMatchObject(conflict);
  const endpoint = { url: "https://example.com/" };
  await clients.webhook.createEndpoint(endpoint, once("c"));
  expect(await refused(admin.webhook.createEndpoint(endpoint, once("c")))).toMatchObject(conflict);

  // What is no secret is told to whoever asks the same: a key that was rotated meanwhile, above all.
  const first = await clients.tenant.putCustomer({ customer: { id: "c" } }, once("d"));
  expect(await admin.tenant.putCustomer({ customer: { id: "c" } }, once("d"))).toEqual(first);
});

test("calls with the same key at the same time make one thing and get one answer", async () => {
  const harness = await setup();
  const calls = Array.from({ length: 8 }, () => harness.clients.tenant.createApiKey(request, once("a")));
  const answers = await Promise.all(calls);
  expect(new Set(answers.map((answer) => answer.secret)).size).toBe(1);
  expect(await keyCount(harness)).toBe(1);
});

test("calls at the same time that run into what the first one made get its answer too", async () => {
  const { clients, ownerDb } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const start = () => clients.pricing.startSubscription({ customerId: "c", plan: "pro" }, once("a"));
  const answers = await Promise.all([start(), start(), start(), start()]);
  expect(new Set(answers.map((answer) => answer.subscription?.id)).size).toBe(1);
  expect(await ownerDb.selectFrom("subscription").selectAll().execute()).toHaveLength(1);
});

test("calls at the same time with the same key and other requests: one is done, the others are refused", async () => {
  const { clients, ownerDb } = await setup();
  const put = (id: string) => clients.tenant.putCustomer({ customer: { id } }, once("a"));
  const answers = await Promise.allSettled(["a", "b", "c", "d"].map(put));
  expect(answers.filter((answer) => answer.status === "fulfilled")).toHaveLength(1);
  expect(await ownerDb.selectFrom("customer").selectAll().execute()).toHaveLength(1);
});

test("a refusal is not stored: the call may be repeated when its cause is gone", async () => {
  const { clients } = await setup();
  const start = () => clients.pricing.startSubscription({ customerId: "c", plan: "pro" }, once("a"));
  expect(await refused(start())).toMatchObject({ reason: ErrorReason.NOT_FOUND });
  await clients.pricing.pushCatalog({ catalog });
  expect((await start()).subscription?.plan).toBe("pro");
});

test("a key is of 1 to 255 printable characters", async () => {
  const harness = await setup();
  const { tenant } = harness.clients;
  for (const key of ["", "a b", "é", "k".repeat(256)]) {
    const answer = await refused(tenant.createApiKey(request, once(key)));
    expect([key, answer]).toMatchObject([
      key,
      { code: 3, reason: ErrorReason.INVALID_FIELD, field: "idempotency-key" },
    ]);
  }
  expect(await keyCount(harness)).toBe(0);
  await tenant.createApiKey(request, once("k".repeat(255)));
});

test("a read does not mind the header, and stores nothing", async () => {
  const { clients, ownerDb } = await setup();
  await clients.tenant.getTenant({}, once("a"));
  await clients.tenant.listCustomers({}, once("a"));
  expect(await ownerDb.selectFrom("rpc_answer").selectAll().execute()).toEqual([]);
});

test("keys of different tenants have nothing to do with each other", async () => {
  const { clients, clientsFor, tenant, addOrganization } = await setup();
  const others = [clientsFor(tenant.liveKey), clientsFor((await addOrganization("Other")).testKey)];
  const first = await clients.tenant.createApiKey(request, once("a"));
  for (const other of others) {
    expect((await other.tenant.createApiKey({ name: "other", role: Role.VIEWER }, once("a"))).secret).not.toBe(
      first.secret,
    );
  }
});

test("a stored answer is sealed, and cannot be moved to another key", async () => {
  const { clients, ownerDb } = await setup();
  const { secret } = await clients.tenant.createApiKey(request, once("a"));
  const rows = await ownerDb.selectFrom("rpc_answer").selectAll().execute();
  expect(rows).toHaveLength(1);
  const [{ answer } = { answer: Buffer.alloc(0) }] = rows;
  expect(answer.includes(secret)).toBe(false);
  expect(answer.includes(secret.slice(30, 60))).toBe(false);
  await ownerDb.updateTable("rpc_answer").set({ idempotency_key: "b" }).execute();
  expect(await refused(clients.tenant.createApiKey(request, once("b")))).toMatchObject({
    reason: ErrorReason.INTERNAL,
  });
});

test("answers are kept as long as the configuration says, and then forgotten, many at a time", async () => {
  const harness = await setup();
  const { app, clock, clients, ownerDb, tenant } = harness;
  const first = await clients.tenant.createApiKey(request, once("a"));
  clock.advance(app.config.answerRetentionMs);
  expect(await purgeAnswers(app)).toBe(0);
  expect((await clients.tenant.createApiKey(request, once("a"))).secret).toBe(first.secret);
  await clients.tenant.createApiKey(request, once("young"));
  clock.advance(1);
  expect(await purgeAnswers(app)).toBe(1);
  expect((await clients.tenant.createApiKey(request, once("a"))).secret).not.toBe(first.secret);
  const [row] = await ownerDb.selectFrom("rpc_answer").selectAll().execute();
  const many = Array.from({ length: 2_500 }, (_, place) => ({
    ...(row as NonNullable<typeof row>),
    tenant_id: tenant.testId,
    idempotency_key: `many-${place}`,
    created_at: new Date(place),
  }));
  for (let from = 0; from < 2_500; from += 500) {
    await ownerDb
      .insertInto("rpc_answer")
      .values(many.slice(from, from + 500))
      .execute();
  }
  expect([await purgeAnswers(app), await purgeAnswers(app), await purgeAnswers(app), await purgeAnswers(app)]).toEqual([
    1_000, 1_000, 500, 0,
  ]);
});
