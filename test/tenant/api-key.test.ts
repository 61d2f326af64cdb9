import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { newId } from "../../server/id.ts";
import { makeSecret, readSecret } from "../../server/tenant/secret-text.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";

test("a key, a token and a code name their kind and their place, and no two are alike", () => {
  const tenantId = newId();
  for (const [kind, tag] of [
    ["LIVE", "live"],
    ["TEST", "test"],
    ["TOKEN", "pat"],
    ["INVITE", "inv"],
  ] as const) {
    const secret = makeSecret(kind, tenantId);
    expect(secret).toMatch(new RegExp(`^uf_${tag}_[0-9A-Za-z]{71}$`));
    expect(readSecret(secret)).toEqual({ kind, place: tenantId });
    expect(makeSecret(kind, tenantId)).not.toBe(secret);
  }
});

test("every change of a single character, and every swap of two neighbours, is noticed", () => {
  const secret = makeSecret("TEST", newId());
  for (let place = 0; place < secret.length; place++) {
    for (const character of ALPHABET) {
      if (character === secret[place]) continue;
      const changed = secret.slice(0, place) + character + secret.slice(place + 1);
      expect([changed, readSecret(changed)]).toEqual([changed, undefined]);
    }
    const [one = "", two = ""] = secret.slice(place, place + 2);
    const swapped = secret.slice(0, place) + two + one + secret.slice(place + 2);
    if (swapped !== secret) expect([swapped, readSecret(swapped)]).toEqual([swapped, undefined]);
  }
});

test("the key itself is nowhere in the database: only what it cannot be worked out from", async () => {
  const { clients, ownerDb, app } = await setup();
  const { secret, apiKey } = await clients.tenant.createApiKey({ name: "backend", role: Role.VIEWER });
  const rows = await ownerDb.selectFrom("api_key").selectAll().execute();
  const row = rows.find((one) => one.name === "backend");
  expect(row?.hash).toEqual(app.secrets.hashKey(secret));
  expect(row?.prefix).toBe(`${secret.slice(0, 12)}...${secret.slice(-4)}`); // the end is of the checksum
  const everything = rows.map((one) => [...Object.values(one), one.hash.toString("latin1")].join("|")).join("\n");
  expect(everything).not.toContain(secret.slice(16));
  expect(everything).not.toContain(secret.slice(30, 40));
  expect(apiKey).toMatchObject({
    name: "backend",
    role: Role.VIEWER,
    prefix: `${secret.slice(0, 12)}...${secret.slice(-4)}`,
  });
  expect(JSON.stringify(await clients.tenant.listApiKeys({}), (_, value) => `${value}`)).not.toContain(secret);
});

test("keys are listed newest first, page by page, the revoked ones too", async () => {
  const { clients } = await setup();
  const made: string[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    made.unshift((await clients.tenant.createApiKey({ name, role: Role.VIEWER })).apiKey?.id ?? "");
  }
  await clients.tenant.revokeApiKey({ id: made[1] as string });
  const first = await clients.tenant.listApiKeys({ pageSize: 3 });
  const second = await clients.tenant.listApiKeys({ pageSize: 3, pageToken: first.nextPageToken });
  const all = [...first.apiKeys, ...second.apiKeys];
  expect(all.map((key) => key.id).slice(0, 4)).toEqual(made);
  expect(all.map((key) => key.name)).toEqual(["d", "c", "b", "a", "first key"]);
  expect(all.map((key) => key.revokedAt !== undefined)).toEqual([false, true, false, false, false]);
  expect(second.nextPageToken).toBe("");
});

test("revoking a key again changes nothing, and of what is not there is not found", async () => {
  const { clients, clientsFor, clock, tenant } = await setup();
  const { apiKey } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const id = apiKey?.id ?? "";
  const first = await clients.tenant.revokeApiKey({ id });
  clock.advance(60_000);
  expect(await clients.tenant.revokeApiKey({ id })).toEqual(first);
  const absent = { code: 5, reason: ErrorReason.NOT_FOUND };
  expect(await refused(clientsFor(tenant.liveKey).tenant.revokeApiKey({ id }))).toMatchObject(absent);
  expect(await refused(clients.tenant.revokeApiKey({ id: `key_${"0".repeat(22)}` }))).toMatchObject(absent);
  expect(await refused(clients.tenant.revokeApiKey({ id: `key_${"z".repeat(22)}` }))).toMatchObject(absent);
  for (const wrong of ["", "key_1", id.replace("key_", "inv_"), `${id}0`]) {
    expect(await refused(clients.tenant.revokeApiKey({ id: wrong }))).toMatchObject({ code: 3, field: "id" });
  }
});
