import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { makeSecret } from "../../server/tenant/secret-text.ts";
import { catalog } from "../support/catalog.ts";
import { doors } from "../support/doors.ts";
import { type Harness, setup } from "../support/harness.ts";
import { keyOf } from "../support/keys.ts";

const events = [{ metric: "API_CALL", amount: "1", customerId: "user_123" }];

/** Sends through every door, and expects every one to refuse. */
async function expectRefused(
  harness: Harness,
  headers: Record<string, string>,
  refusal: { status: number; code: string; reason: string },
) {
  for (const [door, send] of Object.entries(doors)) {
    const { answer } = await send(harness.api.url, headers, events);
    const status = /lane|grpc/.test(door) ? 200 : refusal.status;
    const requestId = expect.stringMatching(/^[0-9a-f-]{36}$/);
    expect([door, answer]).toMatchObject([door, { ...refusal, status, field: "", requestId }]);
  }
  expect(await harness.ownerDb.selectFrom("usage_event").selectAll().execute()).toEqual([]);
}

const unauthenticated = (reason: string) => ({ status: 401, code: "unauthenticated", reason });

test("no key, or a key in the wrong place, is told where to put it", async () => {
  const harness = await setup();
  const { testKey } = harness.tenant;
  for (const headers of [
    {},
    { authorization: `Basic ${testKey}` },
    { "x-api-key": testKey },
    { authorization: "Bearer" },
  ]) {
    await expectRefused(harness, headers as Record<string, string>, unauthenticated("KEY_MISSING"));
  }
});

test("a mistyped key is refused for its form or checksum, without a query", async () => {
  const harness = await setup();
  const { testKey } = harness.tenant;
  await harness.app.db.destroy(); // a query would fail now
  const last = testKey.endsWith("0") ? "1" : "0";
  const wrong = [
    testKey.slice(0, -1),
    `${testKey}0`,
    testKey.slice(0, -1) + last,
    testKey.replace("test", "live"),
    "x",
    "uf_test_",
  ];
  for (const key of wrong) {
    for (const [door, send] of Object.entries(doors)) {
      const { answer } = await send(harness.api.url, { "x-usageflow-api-key": key }, events);
      expect([door, key, answer.reason]).toEqual([door, key, "KEY_MALFORMED"]);
    }
  }
});

test("a well-formed key that was never issued is not known, whatever tenant it names", async () => {
  const harness = await setup();
  const { testId, liveId } = harness.tenant;
  const never = [makeSecret("TEST", testId), makeSecret("LIVE", testId), makeSecret("TEST", liveId)];
  for (const key of [...never, makeSecret("TEST", "00000000-0000-7000-8000-000000000000")]) {
    await expectRefused(harness, { "x-usageflow-api-key": key }, unauthenticated("KEY_UNKNOWN"));
  }
});

test("a revoked key works for a second at most, and then nowhere", async () => {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  const { secret, apiKey } = await harness.clients.tenant.createApiKey({ role: Role.INGEST });
  const headers = { "x-usageflow-api-key": secret };
  const send = doors.lane as (typeof doors)[string];
  expect((await send(harness.api.url, headers, [{ ...events[0], amount: "-1" }])).answer.code).toBe("ok");
  await harness.clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  harness.clock.advance(1_000);
  await expectRefused(harness, headers, unauthenticated("KEY_UNKNOWN"));
});

test("an emulator takes test keys and refuses live ones", async () => {
  const harness = await setup({ config: { emulator: true } });
  const { liveKey, testKey } = harness.tenant;
  const refusal = { status: 403, code: "permission_denied", reason: "LIVE_KEY_REFUSED" };
  await expectRefused(harness, { "x-usageflow-api-key": liveKey }, refusal);
  for (const [door, send] of Object.entries(doors)) {
    const { answer } = await send(harness.api.url, { "x-usageflow-api-key": testKey }, events);
    expect([door, answer.code]).toEqual([door, "ok"]);
  }
});

test("either header carries the key, on every route", async () => {
  const harness = await setup();
  const key = await keyOf(harness.clients, Role.INGEST);
  for (const headers of [
    { "x-usageflow-api-key": key },
    { authorization: `Bearer ${key}` },
    { authorization: `bearer ${key}` },
  ]) {
    for (const [door, send] of Object.entries(doors)) {
      const { answer } = await send(harness.api.url, headers as Record<string, string>, events);
      expect([door, answer.code]).toEqual([door, "ok"]);
    }
  }
});
