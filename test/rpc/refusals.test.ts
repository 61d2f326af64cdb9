import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { REFUSALS_PER_MINUTE } from "../../server/rpc/refusals.ts";
import { doors } from "../support/doors.ts";
import { setup } from "../support/harness.ts";
import { keyOf } from "../support/keys.ts";
import { refused } from "../support/refused.ts";

test("refused attempts are written down, of each key a few in a minute, and those left out are counted", async () => {
  const { clients, clientsFor, clock, tenant, addOrganization } = await setup();
  const viewer = clientsFor(await keyOf(clients, Role.VIEWER));
  const refusals = async (count: number) => {
    for (;;) {
      const { auditEntries } = await clients.tenant.listAuditEntries({ filter: { refused: true } });
      if (auditEntries.length >= count) return auditEntries;
    }
  };
  await refused(viewer.tenant.createApiKey({ role: Role.VIEWER }));
  const [first] = await refusals(1);
  const { apiKeys } = await clients.tenant.listApiKeys({});
  const viewerId = apiKeys.find((key) => key.role === Role.VIEWER)?.id;
  expect(first).toMatchObject({ action: "CreateApiKey", refusal: "PERMISSION_DENIED", actor: viewerId, subject: "" });
  for (let i = 0; i < REFUSALS_PER_MINUTE + 4; i++) await refused(viewer.tenant.putCustomer({ customer: { id: "c" } }));
  clock.advance(60_000);
  await refused(viewer.tenant.putCustomer({ customer: { id: "c" } }));
  // Entries are written aside, so two that were made at once may change places.
  const all = await refusals(REFUSALS_PER_MINUTE + 1);
  expect(all.filter((entry) => entry.leftOutCount > 0n)).toMatchObject([{ action: "PutCustomer", leftOutCount: 5n }]);
  // A key of this tenant that there is not: its last digits are those of another that is right.
  const stranger = clientsFor((await addOrganization("Other")).testKey);
  await refused(stranger.tenant.createApiKey({ role: Role.OWNER }));
  expect((await stranger.tenant.listAuditEntries({})).auditEntries.map((entry) => entry.action)).toEqual([
    "CreateApiKey",
  ]);
  expect(await refused(clientsFor(tenant.testKey).tenant.getTenant({}))).toBeUndefined();
});

test("a revoked key that is still used is named, and its caller hears what a stranger does", async () => {
  const { clients, clientsFor, tenant } = await setup();
  const { apiKey, secret } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const owner = clientsFor(tenant.ownerToken).tenant;
  const made = await owner.createAccessToken({ name: "lost" });
  await clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  await owner.revokeAccessToken({ id: made.accessToken?.id ?? "" });
  const unknown = { code: Code.Unauthenticated, reason: ErrorReason.KEY_UNKNOWN };
  expect(await refused(clientsFor(secret).tenant.getTenant({}))).toMatchObject(unknown);
  expect(await refused(clientsFor(made.secret).tenant.getOrganization({}))).toMatchObject(unknown);
  const refusals = async (log: typeof owner) =>
    (await log.listAuditEntries({ filter: { refused: true } })).auditEntries;
  const keyId = apiKey?.id;
  await expect.poll(() => refusals(clients.tenant)).toMatchObject([{ refusal: "KEY_UNKNOWN", actor: keyId, keyId }]);
  await expect
    .poll(() => refusals(owner))
    .toMatchObject([{ refusal: "KEY_UNKNOWN", actor: made.accessToken?.memberId, keyId: made.accessToken?.id }]);
});

test("every door tells of refusals: a verb's own, and those where usage goes in", async () => {
  const { api, clients, clientsFor } = await setup();
  const developer = clientsFor(await keyOf(clients, Role.ADMIN));
  const { apiKey, secret } = await developer.tenant.createApiKey({ role: Role.VIEWER });
  const viewer = { "x-usageflow-api-key": secret };
  const events = [{ metric: "API_CALL", amount: "1", customerId: "c", idempotencyKey: "a" }];
  for (const send of Object.values(doors)) await send(api.url, viewer, events);
  await clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  const count = Object.keys(doors).length;
  for (let got = 0; got < count; ) {
    const { auditEntries } = await clients.tenant.listAuditEntries({
      filter: { refused: true, actions: ["TrackUsage"] },
    });
    got = auditEntries.length;
    expect(got).toBeLessThanOrEqual(count);
  }
});

test("a key that is refused for its limits is named, with the address that a trusted proxy tells", async () => {
  const { api, clients, clock } = await setup({ config: { trustedProxies: ["127.0.0.0/8"] } });
  const limits = { expiresIn: { seconds: 3_600n }, allowedCidrs: ["203.0.113.0/24"] };
  const { apiKey, secret } = await clients.tenant.createApiKey({ role: Role.INGEST, ...limits });
  const events = [{ metric: "API_CALL", amount: "1", customerId: "c", idempotencyKey: "a" }];
  const count = Object.keys(doors).length;
  const told = async (reason: string, address: string) => {
    const headers = { "x-usageflow-api-key": secret, "x-forwarded-for": address };
    for (const send of Object.values(doors)) await send(api.url, headers, events);
    for (;;) {
      const { auditEntries } = await clients.tenant.listAuditEntries({ filter: { actor: apiKey?.id ?? "" } });
      const found = auditEntries.filter((entry) => entry.refusal === reason);
      if (found.length < count) continue;
      expect(new Set(found.map((entry) => [entry.keyId, entry.action, entry.address].join()))).toEqual(
        new Set([[apiKey?.id, "TrackUsage", address].join()]),
      );
      return;
    }
  };
  await told("KEY_ADDRESS_REFUSED", "198.51.100.1");
  clock.advance(3_600_000);
  await told("KEY_EXPIRED", "203.0.113.7");
});
