import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { setup } from "../support/harness.ts";
import { memberOf } from "../support/members.ts";
import { refused } from "../support/refused.ts";

// The clock stands still: what was found good once is still taken when it has been revoked.

const UNKNOWN = { code: 16, reason: ErrorReason.KEY_UNKNOWN };
const DENIED = { code: 7, reason: ErrorReason.PERMISSION_DENIED };

test("a key that was revoked makes no other, not in the second in which it is still taken", async () => {
  const { clients, clientsFor } = await setup();
  const { secret, apiKey } = await clients.tenant.createApiKey({ role: Role.ADMIN });
  const { apiKey: other } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const thief = clientsFor(secret).tenant;
  await thief.getTenant({});
  await clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  expect(await refused(thief.getTenant({}))).toBeUndefined();
  expect(await refused(thief.createApiKey({ role: Role.ADMIN }))).toMatchObject(UNKNOWN);
  expect(await refused(thief.rotateApiKey({ id: other?.id ?? "" }))).toMatchObject(UNKNOWN);
  expect((await clients.tenant.listApiKeys({})).apiKeys).toHaveLength(3);
});

test("a token that was revoked makes no token, no invite and no key in that second", async () => {
  const harness = await setup();
  const { clientsFor, tenant } = harness;
  const admin = await memberOf(harness, tenant, Role.ADMIN);
  const [thief, inTest] = [clientsFor(admin.token).tenant, clientsFor(admin.token, "test").tenant];
  const owner = clientsFor(tenant.ownerToken).tenant;
  const { accessToken } = await thief.getOrganization({});
  const { member: developer } = await owner.inviteMember({ email: "b@example.com", role: Role.DEVELOPER });
  await owner.revokeAccessToken({ id: accessToken?.id ?? "" });
  const invite = { email: "thief@example.com", role: Role.ADMIN };
  expect(await refused(thief.createAccessToken({}))).toMatchObject(UNKNOWN);
  expect(await refused(thief.inviteMember(invite))).toMatchObject(UNKNOWN);
  expect(await refused(thief.changeMemberRole({ id: developer?.id ?? "", role: Role.ADMIN }))).toMatchObject(UNKNOWN);
  expect(await refused(inTest.createApiKey({ role: Role.ADMIN }))).toMatchObject(UNKNOWN);
});

test("a member whose role was lowered, or who is gone, makes no key as what they were", async () => {
  const harness = await setup();
  const { clientsFor, tenant } = harness;
  const owner = clientsFor(tenant.ownerToken).tenant;
  for (const end of [
    (id: string) => owner.changeMemberRole({ id, role: Role.VIEWER }),
    (id: string) => owner.removeMember({ id }),
  ]) {
    const admin = await memberOf(harness, tenant, Role.ADMIN);
    const inLive = clientsFor(admin.token, "live").tenant;
    const { apiKey } = await inLive.createApiKey({ role: Role.VIEWER });
    await end(admin.id);
    const answers = [
      await refused(inLive.createApiKey({ role: Role.ADMIN })),
      await refused(inLive.rotateApiKey({ id: apiKey?.id ?? "" })),
    ];
    for (const answer of answers) expect([UNKNOWN.reason, DENIED.reason]).toContain(answer?.reason);
  }
});

test("a key that is revoked while it makes another is revoked after that, and the other can be seen", async () => {
  const { clients, clientsFor, ownerDb } = await setup();
  const { secret, apiKey } = await clients.tenant.createApiKey({ role: Role.ADMIN });
  const thief = clientsFor(secret).tenant;
  const made = Array.from({ length: 8 }, () => thief.createApiKey({ role: Role.ADMIN }));
  const revoked = clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
  const seen = revoked.then(() => clients.tenant.listApiKeys({}));
  await Promise.allSettled(made);
  const rows = await ownerDb.selectFrom("api_key").select("id").execute();
  const live = 1; // the other tenant's
  expect((await seen).apiKeys).toHaveLength(rows.length - live);
});
