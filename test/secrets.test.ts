import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { Role } from "../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../server/api.ts";
import { inTenant, openDatabase } from "../server/db/database.ts";
import { migrate } from "../server/db/migrate.ts";
import { rotateSecrets } from "../server/rotate-secrets.ts";
import { answerPlace } from "../server/rpc/change.ts";
import { sealedColumns } from "../server/sealed-column.ts";
import { isSealed, readSecretUse } from "../server/secret-use.ts";
import { createSecrets, keyIdOf, type Secrets } from "../server/secrets.ts";
import { initOrganization } from "../server/tenant/init-organization.ts";
import { createClients } from "./support/clients.ts";
import { type Harness, setup } from "./support/harness.ts";
import { createOwnedDatabase } from "./support/owned-database.ts";
import { refused } from "./support/refused.ts";
import { TestClock } from "./support/test-clock.ts";

const keyPepper = randomBytes(32);
const [old, now] = [randomBytes(32), randomBytes(32)];
const secretsOf = (masterKey: Buffer, ...otherMasterKeys: Buffer[]) =>
  createSecrets({ masterKey, otherMasterKeys, keyPepper });
const LOCALHOST = { deliveryAllowedCidrs: ["127.0.0.0/8"] };

test("the first master key seals, the others open, and one that is missing is named by its id", () => {
  const before = secretsOf(old).seal(Buffer.from("secret"), "a|b|c");
  const both = secretsOf(now, old);
  expect(both.open(before, "a|b|c").toString()).toBe("secret");
  const after = both.seal(Buffer.from("secret"), "a|b|c");
  expect(secretsOf(now).open(after, "a|b|c").toString()).toBe("secret");
  expect(() => secretsOf(now).open(before, "a|b|c")).toThrow(`id ${keyIdOf(before).toString("hex")}`);
});

test("the first master key signs, and each that is known tells its signatures from others", () => {
  const data = Buffer.from("entry");
  const before = secretsOf(old).sign(data);
  const both = secretsOf(now, old);
  const after = both.sign(data);
  expect([before, after].map((one) => both.isSigned(data, one))).toEqual([true, true]);
  expect([before, after].map((one) => secretsOf(now).isSigned(data, one))).toEqual([undefined, true]);
  expect([before, after].map((one) => both.isSigned(Buffer.from("other"), one))).toEqual([false, false]);
  const mixed = Buffer.concat([after.subarray(0, 4), before.subarray(4)]);
  for (const wrong of [mixed, before.subarray(0, 5), Buffer.alloc(0)]) {
    expect(both.isSigned(data, wrong)).not.toBe(true);
  }
});

test("what is moved to another tenant, table or row, or changed in any bit, does not open", () => {
  const secrets = secretsOf(now);
  const sealed = secrets.seal(Buffer.from("secret"), "tenant|table|row");
  for (const place of ["other|table|row", "tenant|other|row", "tenant|table|other", ""]) {
    expect(() => secrets.open(sealed, place)).toThrow();
  }
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(() => secrets.open(changed, "tenant|table|row")).toThrow();
  }
});

test("every column of bytes is known: it is sealed anew by a rotation, or holds nothing that opens", async () => {
  const { ownerDb } = await setup();
  const { rows } = await sql<{ name: string }>`
    select relname || '.' || attname as name from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
      and atttypid = 'bytea'::regtype and not attisdropped order by 1`.execute(ownerDb);
  const sealed = sealedColumns.map(({ table, column }) => `${table}.${column}`);
  const open = [
    ...["access_token.hash", "access_token.pepper_id", "member.invite_hash", "member.invite_pepper_id"],
    ...["api_key.hash", "api_key.pepper_id", "audit_entry.hash", "audit_head.hash"],
    ...["audit_entry.original_digest", "audit_entry.erasure", "endpoint.public_key", "rpc_answer.request_hash"],
    ...["usage_batch.trace", "usage_fold.trace", "invoice.trace", "outbox_event.trace", "used_key.key_id"],
  ];
  expect(rows.map(({ name }) => name).filter((name) => !open.includes(name) && !sealed.includes(name))).toEqual([]);
  expect(sealed.filter((name) => !rows.some((row) => row.name === name))).toEqual([]);
});

/** Something sealed in every column, of two tenants. */
async function sealSome(harness: Harness, count: number) {
  const other = await harness.addOrganization("Other");
  for (const clients of [harness.clients, harness.clientsFor(other.liveKey)]) {
    for (let place = 0; place < count; place++) {
      const call = { headers: { "idempotency-key": `call-${place}` } };
      const endpoint = { url: "http://127.0.0.1:1/", headers: { authorization: `Basic ${place}` } };
      const made = await clients.webhook.createEndpoint(endpoint, call);
      if (place < 5) await clients.webhook.rotateEndpointSecret({ id: made.endpoint?.id ?? "" });
    }
  }
}

/** Ids of the keys that everything is sealed with, once each; all of it opens. */
async function keyIdsOf({ ownerDb }: Harness, secrets: Secrets): Promise<string[]> {
  const ids = new Set<string>();
  const tenants = await ownerDb.selectFrom("tenant").select("tenant_id").execute();
  for (const { tenant_id } of tenants) {
    for (const { table, column, key, place } of sealedColumns) {
      const rows = await inTenant(ownerDb, tenant_id, async (tx) => {
        const names = sql.join(key.map((name) => sql`${sql.ref(name)}::text`));
        const found = await sql<{ key: [string]; sealed: Buffer }>`
          select array[${names}] as key, ${sql.ref(column)} as sealed from ${sql.table(table)}
          where tenant_id = ${tenant_id} and ${sql.ref(column)} is not null`.execute(tx);
        return found.rows;
      });
      for (const row of rows) {
        secrets.open(row.sealed, place(tenant_id, row.key));
        ids.add(keyIdOf(row.sealed).toString("hex"));
      }
    }
  }
  return [...ids];
}

test("a rotation seals everything anew, goes on after it was stopped, and then changes nothing", async () => {
  const harness = await setup({ config: LOCALHOST });
  await sealSome(harness, 20);
  const { masterKey, keyPepper: pepper } = harness.app.config;
  const secrets = createSecrets({ masterKey: now, otherMasterKeys: [masterKey], keyPepper: pepper });
  const { ownerUrl } = harness.database;
  const total = 2 * (20 + 20 + 5 + 20);
  const stop = new AbortController();
  const first = await rotateSecrets(ownerUrl, secrets, { stop: stop.signal, onSealed: () => stop.abort() });
  expect(first.sealed).toBeGreaterThan(0);
  expect(first.sealed).toBeLessThan(total);
  const second = await rotateSecrets(ownerUrl, secrets);
  expect(first.sealed + second.sealed).toBe(total);
  expect(second.unreadable).toBe(0);
  const alone = createSecrets({ masterKey: now, keyPepper: pepper });
  expect(await keyIdsOf(harness, alone)).toEqual([alone.masterKeyIds[0]?.toString("hex")]);
  expect(await rotateSecrets(ownerUrl, secrets)).toEqual({ sealed: 0, unreadable: 0 });
});

test("a rotation goes on under load: nothing that changes meanwhile is lost, and repeated calls get their answers", async () => {
  const harness = await setup({ config: LOCALHOST });
  await sealSome(harness, 20);
  const { masterKey, keyPepper: pepper } = harness.app.config;
  const call = { headers: { "idempotency-key": "made-before" } };
  const before = await harness.clients.tenant.createApiKey({ role: Role.VIEWER }, call);
  const api = await startApi(await harness.addApp({ masterKey: now, otherMasterKeys: [masterKey] }));
  const { webhook } = createClients(api.url, harness.tenant.testKey);
  const { endpoints } = await webhook.listEndpoints({});
  const shown = new Map<string, string>();
  let stopped = false;
  const load = async (place: number) => {
    for (let turn = place; !stopped; turn++) {
      const { id } = endpoints[turn % endpoints.length] as (typeof endpoints)[number];
      shown.set(id, (await webhook.rotateEndpointSecret({ id, overlap: { seconds: 0n } })).secret);
    }
  };
  const loads = [load(0)];
  const secrets = createSecrets({ masterKey: now, otherMasterKeys: [masterKey], keyPepper: pepper });
  await rotateSecrets(harness.database.ownerUrl, secrets);
  stopped = true;
  await Promise.all(loads);
  await rotateSecrets(harness.database.ownerUrl, secrets);
  await api.close();
  const alone = createSecrets({ masterKey: now, keyPepper: pepper });
  expect(await keyIdsOf(harness, alone)).toHaveLength(1);
  expect(shown.size).toBeGreaterThan(0);
  const rows = await harness.ownerDb.selectFrom("endpoint").select(["tenant_id", "id", "secret_sealed"]).execute();
  const opened = rows.map((row) => alone.open(row.secret_sealed, `${row.tenant_id}|endpoint|${row.id}`));
  const inForce = new Set(opened.map((bytes) => `whsec_${bytes.toString("base64")}`));
  expect([...shown.values()].filter((secret) => !inForce.has(secret))).toEqual([]);
  const later = await startApi(await harness.addApp({ masterKey: now }));
  const again = await createClients(later.url, harness.tenant.testKey).tenant.createApiKey({ role: Role.VIEWER }, call);
  expect(again.secret).toBe(before.secret);
  await later.close();
});

test("what was put in another row or tenant is left as it is, and told", async () => {
  const harness = await setup({ config: LOCALHOST });
  await sealSome(harness, 3);
  const { ownerDb, database } = harness;
  await sql`
    update endpoint set secret_sealed = (
      select e.secret_sealed from endpoint e where e.tenant_id <> endpoint.tenant_id limit 1
    ) where id = (select id from endpoint order by id limit 1)`.execute(ownerDb);
  const { masterKey, keyPepper: pepper } = harness.app.config;
  const secrets = createSecrets({ masterKey: now, otherMasterKeys: [masterKey], keyPepper: pepper });
  expect(await rotateSecrets(database.ownerUrl, secrets)).toMatchObject({ unreadable: 1 });
  const uses = await readSecretUse(database.ownerUrl, secrets, harness.clock.now());
  const other = uses.filter((use) => use.key !== "today" && isSealed(use));
  expect(other).toMatchObject([{ what: "endpoint secrets", key: "other", count: 1 }]);
});

test("an owner of the schema that is no superuser rotates too: it sees every tenant in its turn", async () => {
  const { ownerUrl } = await createOwnedDatabase();
  await migrate(ownerUrl);
  const before = secretsOf(old);
  const {
    live,
    test: other,
    organization,
  } = await initOrganization(ownerUrl, { secrets: before, clock: new TestClock() }, { name: "Acme" });
  const { db } = openDatabase({ url: ownerUrl, connectionsMax: 1, statementTimeoutMs: 10_000, onIdleError: () => {} });
  onTestFinished(() => db.destroy());
  for (const tenantId of [live.tenantId, other.tenantId, organization.id]) {
    const answer = before.seal(Buffer.from("answer"), answerPlace(tenantId, "a"));
    await inTenant(db, tenantId, (tx) =>
      sql`insert into rpc_answer values (${tenantId}, 'a', 'm', '', ${answer}, now())`.execute(tx),
    );
  }
  expect(await rotateSecrets(ownerUrl, secretsOf(now, old))).toEqual({ sealed: 3, unreadable: 0 });
  const uses = await readSecretUse(ownerUrl, secretsOf(now), new Date());
  expect(uses.map(({ what, key, count }) => [what, key, count])).toEqual([
    ["stored answers", "today", 3],
    ["audit entries", "missing", 1],
    ["API keys", "today", 2],
    ["access tokens", "today", 1],
  ]);
});

test("keys outlive a change of the pepper, and are hashed anew when they are used", async () => {
  const harness = await setup();
  const { clients, clock, database, tenant } = harness;
  const { secret } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const unused = (await clients.tenant.createApiKey({ role: Role.VIEWER })).secret;
  const call = async (url: string, key: string) => refused(createClients(url, key).tenant.getTenant({}));
  const { masterKey, keyPepper: before } = harness.app.config;
  const keys = { keyPepper, otherKeyPeppers: [before] };
  const both = await startApi(await harness.addApp(keys));
  for (const key of [secret, tenant.testKey]) expect(await call(both.url, key)).toBeUndefined();
  clock.advance(60_000); // the owner's key was used just before
  expect(await call(both.url, tenant.testKey)).toBeUndefined();
  await both.close();
  const uses = await readSecretUse(database.ownerUrl, createSecrets({ masterKey, ...keys }), clock.now());
  expect(uses.filter(({ what }) => what === "API keys").map(({ key, count }) => [key, count])).toEqual(
    expect.arrayContaining([
      ["today", 2],
      ["other", 2], // the unused one, and the live tenant's
    ]),
  );
  const alone = await startApi(await harness.addApp({ keyPepper }));
  expect(await call(alone.url, secret)).toBeUndefined();
  expect(await call(alone.url, tenant.testKey)).toBeUndefined();
  expect(await call(alone.url, unused)).toMatchObject({ code: 16 });
  await alone.close();
  expect(await call(harness.api.url, unused)).toBeUndefined(); // where the pepper is still known
});

test("no secret is in a dump of the database", async () => {
  const harness = await setup({ config: LOCALHOST });
  const { clients, tenant } = harness;
  const call = (key: string) => ({ headers: { "idempotency-key": key } });
  const canary = `canary-${randomBytes(8).toString("hex")}`;
  const endpoint = { url: "http://127.0.0.1:1/", headers: { authorization: `Basic ${canary}` } };
  const made = await clients.webhook.createEndpoint(endpoint, call("a"));
  const rotated = await clients.webhook.rotateEndpointSecret({ id: made.endpoint?.id ?? "" }, call("b"));
  const key = await clients.tenant.createApiKey({ role: Role.ADMIN }, call("c"));
  const newer = await clients.tenant.rotateApiKey({ id: key.apiKey?.id ?? "" }, call("d"));
  await harness.drain();
  const dump = await dumpOf(harness);
  expect(dump).toContain(key.apiKey?.prefix ?? "-"); // it is a dump
  expect(dump.match(/uf_(live|test|pat)_[0-9A-Za-z]{22,}|wh(sec|sk)_[A-Za-z0-9+/=]+/g)).toBeNull();
  const whsec = [made.secret, rotated.secret].map((secret) => secret.replace("whsec_", ""));
  const raw = whsec.map((secret) => Buffer.from(secret, "base64").toString("latin1"));
  for (const secret of [canary, ...whsec, ...raw, key.secret, newer.secret, tenant.testKey, tenant.liveKey]) {
    expect(dump).not.toContain(secret);
    expect(dump).not.toContain(Buffer.from(secret, "latin1").toString("hex"));
  }
});

/** All rows of all tables as text, with bytes as they are (a letter of Latin-1 each) and in hex. */
async function dumpOf({ ownerDb }: Harness): Promise<string> {
  const tables = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public'`.execute(ownerDb);
  const parts: string[] = [];
  for (const { name } of tables.rows) {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(name)}`.execute(ownerDb);
    for (const row of rows) for (const value of Object.values(row)) parts.push(...textsOf(value));
  }
  return parts.join("\n");
}

function textsOf(value: unknown): string[] {
  if (Buffer.isBuffer(value)) return [value.toString("latin1"), value.toString("hex")];
  return [
    typeof value === "string" ? value : JSON.stringify(value, (_, one) => (typeof one === "bigint" ? `${one}` : one)),
  ];
}
