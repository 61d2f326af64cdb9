import { timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { TenantKind } from "../../gen/usageflow/v1/tenant_pb.ts";
import { inTenant } from "../../server/db/database.ts";
import { newId } from "../../server/id.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { setup, TEST_CLOCK } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const HOUR = 3_600n;
const DAY = 24n * HOUR;

test("an organization has a live and a test tenant, each with a key of its own, and sees one of them at a time", async () => {
  const { app, database, clientsFor, ownerDb, clock } = await setup();
  const { live, test: sandbox } = await initOrganization(database.ownerUrl, app, { name: "Two" });
  const [first, second] = await Promise.all(
    [live, sandbox].map(async ({ secret }) => (await clientsFor(secret).tenant.getTenant({})).tenant),
  );
  expect(first).toMatchObject({ organization: "Two", kind: TenantKind.LIVE, clock: { frozen: false } });
  expect(second).toMatchObject({ organization: "Two", kind: TenantKind.TEST, clock: { frozen: false } });
  expect(first?.id).not.toBe(second?.id);
  expect([live.secret.slice(0, 8), sandbox.secret.slice(0, 8)]).toEqual(["uf_live_", "uf_test_"]);
  expect(timestampDate(first?.clock?.now as never)).toEqual(clock.now());
  const ofTwo = await ownerDb
    .selectFrom("tenant")
    .innerJoin("organization", "organization.id", "tenant.organization_id")
    .select("kind")
    .where("organization.name", "=", "Two")
    .execute();
  expect(ofTwo).toHaveLength(2);
});

test("a key is told which one it is, and what it may do", async () => {
  const { clients, clientsFor } = await setup();
  const { secret, apiKey } = await clients.tenant.createApiKey({ role: Role.VIEWER, name: "dashboard" });
  expect((await clientsFor(secret).tenant.getTenant({})).apiKey).toMatchObject({ ...apiKey });
  expect((await clients.tenant.getTenant({})).apiKey).toMatchObject({ role: Role.OWNER });
});

test("an organization is made whole or not at all", async () => {
  const { app, database, ownerDb } = await setup();
  const count = async () => (await ownerDb.selectFrom("tenant").select("tenant_id").execute()).length;
  const before = await count();
  for (const name of ["", "x".repeat(256)]) {
    await expect(initOrganization(database.ownerUrl, app, { name })).rejects.toThrow(/organization_name_length/);
  }
  expect(await count()).toBe(before);
});

test("the application makes and changes no organization and no tenant but at their own place", async () => {
  const { app, tenant, addOrganization } = await setup();
  const other = await addOrganization("Other");
  const now = app.clock.now();
  const denied = /row-level security/;
  const makesOther = inTenant(app.db, tenant.testId, (tx) =>
    tx.insertInto("organization").values({ id: newId(), name: "Mine", created_at: now }).execute(),
  );
  await expect(makesOther).rejects.toThrow(denied);
  const takesOver = inTenant(app.db, tenant.organizationId, (tx) =>
    tx
      .insertInto("tenant")
      .values({ tenant_id: newId(), organization_id: other.organizationId, kind: "TEST", created_at: now })
      .execute(),
  );
  await expect(takesOver).rejects.toThrow(denied);
  const renames = inTenant(app.db, tenant.testId, (tx) =>
    tx.updateTable("organization").set({ name: "Mine" }).execute(),
  );
  await expect(renames).rejects.toThrow(denied);
  const [seen, changed] = await inTenant(app.db, tenant.testId, async (tx) => [
    await tx.selectFrom("tenant").select("tenant_id").execute(),
    await tx.updateTable("tenant").set({ memo: "mine" }).returning("tenant_id").execute(),
  ]);
  expect([seen, changed]).toEqual([[{ tenant_id: tenant.testId }], [{ tenant_id: tenant.testId }]]);
});

test("settings that are given are changed, and the others are left", async () => {
  const { clients } = await setup();
  const defaults = (await clients.tenant.getTenant({})).tenant;
  expect([defaults?.gracePeriod?.seconds, defaults?.backfillWindow?.seconds]).toEqual([HOUR, 35n * DAY]);
  const grace = await clients.tenant.updateTenant({ gracePeriod: { seconds: 0n } });
  expect([grace.tenant?.gracePeriod?.seconds, grace.tenant?.backfillWindow?.seconds]).toEqual([0n, 35n * DAY]);
  const backfill = await clients.tenant.updateTenant({ backfillWindow: { seconds: DAY } });
  expect([backfill.tenant?.gracePeriod?.seconds, backfill.tenant?.backfillWindow?.seconds]).toEqual([0n, DAY]);
  expect(defaults?.timeZone).toBe("UTC");
  const zone = await clients.tenant.updateTenant({ timeZone: "Asia/Kolkata" });
  expect(zone.tenant).toEqual({ ...backfill.tenant, timeZone: "Asia/Kolkata" });
  expect((await clients.tenant.updateTenant({})).tenant).toEqual(zone.tenant);
  expect((await clients.tenant.getTenant({})).tenant?.clock?.now).toEqual(defaults?.clock?.now);
  expect(timestampDate(defaults?.clock?.now as never)).toEqual(new Date(TEST_CLOCK));
});

test("settings out of their range are refused", async () => {
  const { clients } = await setup();
  const { updateTenant } = clients.tenant;
  const wrong = { code: 3, field: "grace_period" };
  expect(await refused(updateTenant({ gracePeriod: { seconds: -1n } }))).toMatchObject(wrong);
  expect(await refused(updateTenant({ gracePeriod: { seconds: 31n * DAY + 1n } }))).toMatchObject(wrong);
  for (const timeZone of ["Europe/Nowhere", "+02:00", "CET CEST", "PST", "x".repeat(65)]) {
    expect(await refused(updateTenant({ timeZone }))).toMatchObject({ code: 3, field: "time_zone" });
  }
  const tooLong = { seconds: 401n * DAY };
  expect(await refused(updateTenant({ backfillWindow: tooLong }))).toMatchObject({ code: 3, field: "backfill_window" });
});

test("the seller is replaced whole, and terms and memo one by one", async () => {
  const { clients } = await setup();
  const seller = { name: "Acme GmbH", address: ["Hauptstr. 1", "10115 Berlin"], taxId: "DE1", email: "a@acme.test" };
  expect((await clients.tenant.getTenant({})).tenant).toMatchObject({ paymentTermsDays: 30, memo: "" });
  const set = await clients.tenant.updateTenant({ seller, paymentTermsDays: 0, memo: "Thank you." });
  expect(set.tenant).toMatchObject({ seller, paymentTermsDays: 0, memo: "Thank you." });
  const { tenant } = await clients.tenant.updateTenant({ seller: { name: "Acme" } });
  expect(tenant).toMatchObject({ seller: { name: "Acme", address: [], taxId: "", email: "" }, memo: "Thank you." });
  expect((await clients.tenant.updateTenant({ memo: "" })).tenant).toMatchObject({ paymentTermsDays: 0, memo: "" });
  const { updateTenant } = clients.tenant;
  expect(await refused(updateTenant({ paymentTermsDays: 366 }))).toMatchObject({ field: "payment_terms_days" });
  expect(await refused(updateTenant({ paymentTermsDays: -1 }))).toMatchObject({ field: "payment_terms_days" });
  const address = Array(9).fill("x");
  expect(await refused(updateTenant({ seller: { address } }))).toMatchObject({ field: "seller.address" });
  expect(await refused(updateTenant({ seller: { name: "a\nb" } }))).toMatchObject({ field: "seller.name" });
});
