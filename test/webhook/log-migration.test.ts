import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { Migrator } from "kysely/migration";
import { expect, onTestFinished, test } from "vitest";
import { type App, closeApp, createApp } from "../../server/app.ts";
import { type Config, defaults } from "../../server/config.ts";
import { type Db, inTenant, openDatabase } from "../../server/db/database.ts";
import { appUrls } from "../../server/db/login.ts";
import { migrate, readMigrations } from "../../server/db/migrate.ts";
import { newId } from "../../server/id.ts";
import { createLog } from "../../server/log.ts";
import { keepLog } from "../../server/webhook/keep-log.ts";
import { DAY_MS, idBoundary, LOGS } from "../../server/webhook/log-week.ts";
import { createOwnedDatabase } from "../support/owned-database.ts";
import { TestClock } from "../support/test-clock.ts";
import { weeksOf } from "./age-log.ts";

// The log becomes partitioned with the rows that it has, by an owner of the schema that is no superuser: policies bind it.

const BEFORE = "0033_delivery_due";

/** A schema without what this is about, with events: one was delivered, one waits to be, and one to be dispatched. */
async function fillBefore(ownerUrl: string, adminDb: Db) {
  const { db } = openDatabase({ url: ownerUrl, connectionsMax: 1, statementTimeoutMs: 60_000, onIdleError: () => {} });
  const migrator = new Migrator({
    db,
    provider: { getMigrations: readMigrations },
    migrationTableName: "schema_migration",
    migrationLockTableName: "schema_migration_lock",
  });
  const { error } = await migrator.migrateTo(BEFORE);
  await db.destroy();
  if (error) throw error;
  // As they were then: the server's own way to make a tenant is of today's schema.
  const [organizationId, tenantId] = [newId(), newId()];
  await sql`insert into organization (id, name, created_at) values (${organizationId}, 'Acme', now())`.execute(adminDb);
  await sql`
    insert into tenant (tenant_id, organization_id, kind, created_at)
    values (${tenantId}, ${organizationId}, 'LIVE', now())`.execute(adminDb);
  const [endpointId, delivered, waiting, undispatched, one, two] = Array.from({ length: 6 }, oldId) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  await sql`
    insert into endpoint (tenant_id, id, url, description, event_types, secret_sealed, created_at, last_sequence)
    values (${tenantId}, ${endpointId}, 'https://example.com', '', '{}', '', now(), 2)`.execute(adminDb);
  await sql`
    insert into outbox_event (tenant_id, id, type, occurred_at, data)
    select ${tenantId}, id, 'invoice.paid', now(), '{}' from unnest(${[delivered, waiting, undispatched]}::uuid[]) id
  `.execute(adminDb);
  await sql`insert into outbox_pending (tenant_id, event_id) values (${tenantId}, ${undispatched})`.execute(adminDb);
  await sql`
    insert into delivery (tenant_id, id, event_id, event_type, endpoint_id, sequence, state, attempt_count, created_at,
      completed_at)
    values (${tenantId}, ${one}, ${delivered}, 'invoice.paid', ${endpointId}, 1, 'DELIVERED', 1, now(), now()),
      (${tenantId}, ${two}, ${waiting}, 'invoice.paid', ${endpointId}, 2, 'PENDING', 1, now(), null)`.execute(adminDb);
  await sql`
    insert into delivery_due (tenant_id, delivery_id, endpoint_id, event_id, sequence, created_at, next_attempt_at)
    values (${tenantId}, ${two}, ${endpointId}, ${waiting}, 2, now(), now())`.execute(adminDb);
  await sql`
    insert into delivery_attempt (tenant_id, delivery_id, number, sent_at, duration_us, status, error, response_body)
    select ${tenantId}, id, 1, now(), 1, 200, '', '' from unnest(${[one, two]}::uuid[]) id`.execute(adminDb);
  return { tenantId, one, two, delivered, waiting, undispatched };
}

/** An id as one was made a hundred days ago. */
function oldId(): string {
  return idBoundary(new Date(Date.now() - 100 * DAY_MS)).slice(0, 14) + newId().slice(14);
}

test("the log is partitioned with the rows that it has, and these are dropped, or kept, by policies that bind its owner", async () => {
  const { ownerUrl, adminUrl } = await createOwnedDatabase();
  const open = { connectionsMax: 2, statementTimeoutMs: 60_000, onIdleError: () => {} };
  const { db: adminDb } = openDatabase({ url: adminUrl, ...open });
  onTestFinished(() => adminDb.destroy());
  const { tenantId, ...ids } = await fillBefore(ownerUrl, adminDb);
  expect(await migrate(ownerUrl)).toContain("0034_log_partition");

  const keys = { masterKey: randomBytes(32), keyPepper: randomBytes(32) };
  const config: Config = { ...defaults, ...appUrls(adminUrl), ...keys };
  const app = await createApp(config, { clock: new TestClock(), log: createLog("silent") });
  onTestFinished(() => closeApp(app));
  expect(await idsIn(app, tenantId)).toEqual({
    delivery: [ids.one, ids.two],
    delivery_attempt: [ids.one, ids.two],
    outbox_event: [ids.delivered, ids.waiting, ids.undispatched],
  });
  expect((await weeksOf({ ownerDb: adminDb })).filter((name) => name.startsWith("delivery_first"))).toHaveLength(1);
  expect(await keepLog(app)).toBe(0);

  // As if it had been migrated long ago.
  const until = idBoundary(new Date(Date.now() - 99 * DAY_MS));
  for (const log of LOGS) {
    await sql`alter table ${sql.id(log)} detach partition ${sql.id(`${log}_first`)}`.execute(adminDb);
    await sql`alter table ${sql.id(log)} attach partition ${sql.id(`${log}_first`)}
      for values from (minvalue) to (${sql.lit(until)})`.execute(adminDb);
  }
  while ((await keepLog(app)) > 0);
  expect(await idsIn(app, tenantId)).toEqual({
    delivery: [ids.two],
    delivery_attempt: [ids.two],
    outbox_event: [ids.waiting, ids.undispatched],
  });
  expect((await weeksOf({ ownerDb: adminDb })).filter((name) => name.includes("first"))).toEqual([]);
});

async function idsIn(app: App, tenantId: string): Promise<Record<string, string[]>> {
  return inTenant(app.db, tenantId, async (tx) => {
    const found: Record<string, string[]> = {};
    for (const log of LOGS) {
      const key = sql.id(log === "delivery_attempt" ? "delivery_id" : "id");
      const { rows } = await sql<{ id: string }>`select ${key} as id from ${sql.id(log)} order by 1`.execute(tx);
      found[log] = rows.map(({ id }) => id);
    }
    return found;
  });
}
