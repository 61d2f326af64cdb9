import { randomBytes, randomUUID } from "node:crypto";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { startApi } from "../../server/api.ts";
import { createAuthenticator } from "../../server/rpc/authenticate.ts";
import { makeSecret } from "../../server/tenant/secret-text.ts";
import { catalog } from "../support/catalog.ts";
import { createClients } from "../support/clients.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { watchStatements } from "../support/statements.ts";
import { holding, untilWaiting } from "../support/waiting.ts";

const HERE = { socketAddress: "127.0.0.1", forwardedFor: undefined };
const looksIn = (sent: readonly string[]) => sent.filter((text) => /^select .* from "api_key"/.test(text)).length;

test("a wrong checksum costs no statement, and the wrong, the unknown and the revoked cost the same ones", async () => {
  const { addApp, clients, clientsFor, tenant } = await setup();
  const { apiKey, secret: revoked } = await clients.tenant.createApiKey({ role: Role.INGEST });
  await clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  const app = await addApp();
  const authenticator = createAuthenticator(app);
  const sent = watchStatements(app.pool);
  const costOf = async (key: string, reason: ErrorReason) => {
    sent.length = 0;
    const answer = await refused((async () => authenticator.authenticate(key, HERE))());
    expect(answer).toMatchObject({ code: 16, reason });
    return sent.map((text) => text.replace(/'.*'/, "'...'"));
  };
  const unknownTenant = makeSecret("TEST", "00000000-0000-7000-8000-000000000000");
  const unknown = await costOf(unknownTenant, ErrorReason.KEY_UNKNOWN);
  expect(unknown).toHaveLength(4); // begin, whose rows, the look, commit
  expect(await costOf(makeSecret("TEST", tenant.testId), ErrorReason.KEY_UNKNOWN)).toEqual(unknown);
  expect(await costOf(revoked, ErrorReason.KEY_UNKNOWN)).toEqual(unknown);
  const owner = clientsFor(tenant.ownerToken).tenant;
  const { accessToken, secret: revokedToken } = await owner.createAccessToken({});
  await owner.revokeAccessToken({ id: accessToken?.id ?? "" });
  for (const kind of ["TOKEN", "INVITE"] as const) {
    const nowhere = await costOf(makeSecret(kind, "00000000-0000-7000-8000-000000000000"), ErrorReason.KEY_UNKNOWN);
    expect(nowhere).toHaveLength(4);
    expect(await costOf(makeSecret(kind, tenant.organizationId), ErrorReason.KEY_UNKNOWN)).toEqual(nowhere);
    if (kind === "TOKEN") expect(await costOf(revokedToken, ErrorReason.KEY_UNKNOWN)).toEqual(nowhere);
  }
  for (const secret of [tenant.testKey, tenant.ownerToken]) {
    const last = secret.endsWith("0") ? "1" : "0";
    expect(await costOf(secret.slice(0, -1) + last, ErrorReason.KEY_MALFORMED)).toEqual([]);
  }
  const guess = randomBytes(32).toString("base64"); // of the operator's key: there is none here
  expect(await costOf(guess, ErrorReason.KEY_MALFORMED)).toEqual([]);
});

test("a key that is revoked at one process works for a second at most at another", async () => {
  const { addApp, clients, clock } = await setup();
  const other = await startApi(await addApp());
  const { apiKey, secret } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const call = () => refused(createClients(other.url, secret).tenant.getTenant({}));
  expect(await call()).toBeUndefined();
  await clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  clock.advance(999);
  expect(await call()).toBeUndefined(); // asked again beside it
  clock.advance(1);
  expect(await call()).toMatchObject({ code: 16, reason: ErrorReason.KEY_UNKNOWN });
  await other.close();
});

test("a key that is revoked while it is looked up is known for no longer", async () => {
  const { addApp, clients, clock } = await setup();
  const { apiKey, secret } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const authenticator = createAuthenticator(await addApp());
  const looking = authenticator.authenticate(secret, HERE);
  clock.advance(700); // the look took that long
  await looking;
  await clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  clock.advance(300);
  expect(await refused((async () => authenticator.authenticate(secret, HERE))())).toMatchObject({ code: 16 });
  await authenticator.close();
});

test("calls that come at once with a good key ask for it once", async () => {
  const { addApp, clock, tenant } = await setup();
  const app = await addApp();
  const authenticator = createAuthenticator(app);
  const sent = watchStatements(app.pool);
  const call = async () => authenticator.authenticate(tenant.testKey, HERE);
  const together = () => Promise.all(Array.from({ length: 50 }, call));
  const callers = await together();
  expect(callers.every(({ tenantId }) => tenantId === tenant.testId)).toBe(true);
  expect(looksIn(sent)).toBe(1);
  clock.advance(1_000);
  await together();
  expect(looksIn(sent)).toBe(2);
  await authenticator.close();
});

test("a call that waits for another one's look does not take what has become too old meanwhile", async () => {
  const { addApp, clock, ownerDb, tenant } = await setup();
  const app = await addApp();
  const authenticator = createAuthenticator(app);
  const sent = watchStatements(app.pool);
  const call = async () => authenticator.authenticate(tenant.testKey, HERE);
  const letGo = await holding(ownerDb, sql`lock table api_key in access exclusive mode`);
  const first = call();
  await untilWaiting(ownerDb);
  const second = call();
  clock.advance(1_000);
  await letGo();
  await Promise.all([first, second]);
  expect(looksIn(sent)).toBe(2);
  await authenticator.close();
});

test("a key in use is asked for again before its second is over, and no call waits for it", async () => {
  const { addApp, clients, clock } = await setup();
  const { apiKey, secret } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const app = await addApp();
  const authenticator = createAuthenticator(app);
  const sent = watchStatements(app.pool);
  const call = () => authenticator.authenticate(secret, HERE);
  await call();
  for (let half = 0; half < 6; half++) {
    clock.advance(500);
    sent.length = 0;
    for (let calls = 0; calls < 3; calls++) expect(call()).not.toBeInstanceOf(Promise);
    await authenticator.close();
    expect(looksIn(sent)).toBe(1);
  }
  await clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  clock.advance(500);
  await call(); // the last one: its renewal hears of the end, half a second early
  await authenticator.close();
  expect(await refused((async () => call())())).toMatchObject({ code: 16, reason: ErrorReason.KEY_UNKNOWN });
  await authenticator.close();
});

test("the last use is written once a minute, by as many processes as there are", async () => {
  const { addApp, clients, clock, ownerDb } = await setup();
  const { apiKey, secret } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  expect(apiKey?.lastUsedAt).toBeUndefined();
  const apps = [await addApp(), await addApp()];
  const written = apps.map((app) => watchStatements(app.pool));
  const authenticators = apps.map(createAuthenticator);
  const use = async () => {
    for (const one of authenticators) await one.authenticate(secret, HERE);
    for (const one of authenticators) await one.close();
    const row = await ownerDb
      .selectFrom("api_key")
      .select("last_used_at")
      .where("prefix", "=", apiKey?.prefix ?? "")
      .executeTakeFirstOrThrow();
    return row.last_used_at;
  };
  const first = clock.now();
  expect(await use()).toEqual(first);
  for (let seconds = 1; seconds < 60; seconds++) {
    clock.advance(1_000);
    expect(await use()).toEqual(first);
  }
  clock.advance(1_000);
  expect(await use()).toEqual(clock.now());
  const updates = written.flat().filter((text) => /^update/.test(text));
  expect(updates.length).toBeLessThanOrEqual(4); // at most one of each process a minute; the database takes one of them
});

test("a use that cannot be written refuses nobody", async () => {
  const { addApp, clients, ownerDb } = await setup();
  const { secret } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const authenticator = createAuthenticator(await addApp());
  await sql`revoke update on api_key from usageflow_app`.execute(ownerDb);
  expect(await authenticator.authenticate(secret, HERE)).toMatchObject({ role: Role.VIEWER });
  await authenticator.close();
});

test("made-up keys of the right form take no connection that good keys and usage need", async () => {
  const { api, app, clients, ownerDb, tenant } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const letGo = await holding(ownerDb, sql`lock table api_key in access exclusive mode`);
  const strangers = Array.from({ length: 50 }, (_, place) =>
    refused(createClients(api.url, makeSecret("TEST", place % 2 ? tenant.testId : randomUUID())).tenant.getTenant({})),
  );
  await untilWaiting(ownerDb);
  const event = { metric: "API_CALL", amount: "1", customerId: "c" };
  const { results } = await clients.usage.trackUsage({ events: [event] });
  expect(results).toMatchObject([{ outcome: UsageOutcome.ACCEPTED }]);
  expect(app.pool.waitingCount).toBe(0);
  await letGo();
  for (const answer of await Promise.all(strangers)) expect(answer?.reason).toBe(ErrorReason.KEY_UNKNOWN);
});
