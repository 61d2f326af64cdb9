import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { emptyOrganizations } from "../../server/tenant/empty-organizations.ts";
import { tenantTables } from "../../server/tenant/tenant-tables.ts";
import { catalog } from "../support/catalog.ts";
import { doctorOf } from "../support/doctor.ts";
import { type Harness, type Organization, setup } from "../support/harness.ts";
import { liveMonth } from "../support/lived-month.ts";
import { memberOf } from "../support/members.ts";
import { startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { holding, untilWaiting } from "../support/waiting.ts";

const DAY_MS = 86_400_000;
const WAITING_DAYS = 30;
// Longer than what was under way can take.
const QUIET_MS = 600_000;

const asOwner = ({ clientsFor }: Harness, { ownerToken }: Organization) => clientsFor(ownerToken).tenant;

/** How many rows each table has of an organization: of its tenants, and its own. Those that have none are left out. */
async function rowsOf({ ownerDb, app }: Harness, places: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const of = { organization: "id", member: "organization_id", access_token: "organization_id" };
  const tables = (await tenantTables(app.workerDb)).map((name) => [name, "tenant_id"] as const);
  for (const [name, column] of [...tables, ...Object.entries(of)]) {
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from ${sql.table(name)} where ${sql.ref(column)} = any(${places}::uuid[])`.execute(
      ownerDb,
    );
    if (rows[0]?.count) counts[name] = rows[0].count;
  }
  return counts;
}

/** Without what time makes more of, or less. */
function durable(counts: Record<string, number>) {
  const kept = Object.entries(counts).filter(
    ([name]) => !/^(delivery|outbox|endpoint_f|listener|rpc_answer)/.test(name),
  );
  return Object.fromEntries(kept);
}

/** Lets the waiting time pass, and then what was under way. */
async function pass({ clock, drain }: Harness): Promise<void> {
  clock.advance(WAITING_DAYS * DAY_MS);
  await drain();
  clock.advance(QUIET_MS);
  await drain();
}

describe("an organization that is to be deleted", () => {
  test("goes with all that is in any table, and another stays as it was; its own audit log tells of it", async () => {
    const receiver = await startReceiver();
    const harness = await setup({ config: { emulator: true } });
    const { tenant, clients, drain, clientsFor, ownerDb } = harness;
    const other = await harness.addOrganization("Other");
    const places = [tenant.testId, tenant.liveId, tenant.organizationId];
    const othersPlaces = [other.testId, other.liveId, other.organizationId];
    await liveMonth(clients, { name: "a", url: receiver.url, drain });
    await liveMonth(clientsFor(other.testKey), { name: "b", url: receiver.url, drain });
    await memberOf(harness, tenant, Role.VIEWER);
    await asOwner(harness, tenant).renameOrganization({ name: "Acme" }, { headers: { "idempotency-key": "x" } });
    const othersBefore = await rowsOf(harness, othersPlaces);
    // What comes and goes with the work that it stands for.
    const transient = [
      "customer_arrival",
      "customer_erasure",
      "invoice_rerating",
      "outbox_pending",
      "usage_batch",
      "usage_news",
    ];
    const all = [...(await tenantTables(harness.app.workerDb)), "organization", "member", "access_token"].sort();
    const full = Object.keys(await rowsOf(harness, places));
    expect([...new Set([...full, ...transient])].sort()).toEqual(all);

    await asOwner(harness, tenant).deleteOrganization({ name: "Acme" });
    await pass(harness);
    expect(await rowsOf(harness, places)).toEqual({ audit_entry: expect.any(Number), audit_head: 1 });
    const others = durable(await rowsOf(harness, othersPlaces));
    expect(others).toEqual(durable(othersBefore));
    expect(others).toMatchObject({ invoice: 2, usage_event: 4, api_key: 2, member: 1 });
    const { rows } = await sql<{ tenant_id: string; action: string; actor: string; detail: string }>`
      select tenant_id, action, actor, detail from audit_entry where tenant_id = any(${places}::uuid[])
      order by sequence desc limit 2`.execute(ownerDb);
    expect(rows).toMatchObject([
      { tenant_id: tenant.organizationId, action: "DeleteOrganization", actor: "" },
      { tenant_id: tenant.organizationId, action: "DeleteOrganization", actor: expect.stringMatching(/^mem_/) },
    ]);
    expect(JSON.parse(rows[0]?.detail ?? "")).toMatchObject({ before: { name: "Acme" } });
    expect(await refused(clients.tenant.getTenant({}))).toMatchObject({ reason: ErrorReason.KEY_UNKNOWN });
    expect(Object.keys(await rowsOf(harness, places))).toEqual(["audit_entry", "audit_head"]); // and the refusal left nothing
    await drain();
  });

  test("goes on until its time, says so everywhere, and stays if that is taken back", async () => {
    const harness = await setup();
    const { tenant, clients, clock, drain } = harness;
    const owner = asOwner(harness, tenant);
    expect(await refused(owner.deleteOrganization({ name: "acme" }))).toMatchObject({ code: 3, field: "name" });
    const { organization } = await owner.deleteOrganization({ name: "Acme" });
    const after = timestampDate(organization?.deleteAfter as Timestamp);
    expect(after).toEqual(new Date(clock.now().getTime() + WAITING_DAYS * DAY_MS));
    expect((await owner.getOrganization({})).organization).toEqual(organization);
    expect((await clients.tenant.getTenant({})).tenant?.deleteAfter).toEqual(organization?.deleteAfter);
    clock.advance(DAY_MS);
    expect((await owner.deleteOrganization({ name: "Acme" })).organization).toEqual(organization);
    clock.advance((WAITING_DAYS - 1) * DAY_MS - 1_000);
    await drain();
    await clients.tenant.putCustomer({ customer: { id: "still here" } });
    const { organization: kept } = await owner.cancelOrganizationDeletion({});
    expect(kept?.deleteAfter).toBeUndefined();
    await owner.cancelOrganizationDeletion({});
    await pass(harness);
    expect((await clients.tenant.getCustomer({ id: "still here" })).customer?.id).toBe("still here");
    const { auditEntries } = await owner.listAuditEntries({});
    expect(auditEntries.map(({ action }) => action)).toEqual([
      "CancelOrganizationDeletion",
      "DeleteOrganization",
      "InitOrganization",
    ]);
  });

  test("is closed from its time on: keys and tokens are refused, and nothing is sent any more", async () => {
    const receiver = await startReceiver();
    receiver.behave((response) => response.writeHead(500).end());
    const harness = await setup({ config: { emulator: true } });
    const { tenant, clients, clock, drain, clientsFor, app, api } = harness;
    await clients.webhook.createEndpoint({ url: receiver.url });
    await clients.tenant.putCustomer({ customer: { id: "c" } });
    await drain();
    const sent = receiver.got.length;
    expect(sent).toBeGreaterThan(0);
    await asOwner(harness, tenant).deleteOrganization({ name: "Acme" });
    clock.advance(WAITING_DAYS * DAY_MS);
    const closed = { code: 16, reason: ErrorReason.ORGANIZATION_DELETED };
    expect(await refused(clients.tenant.getTenant({}))).toMatchObject(closed);
    expect(await refused(asOwner(harness, tenant).getOrganization({}))).toMatchObject(closed);
    expect(await refused(clientsFor(tenant.ownerToken, "test").tenant.getTenant({}))).toMatchObject(closed);
    const track = await fetch(`${api.url}/api/track`, {
      method: "POST",
      headers: { "x-usageflow-api-key": tenant.testKey, "content-type": "application/json" },
      body: JSON.stringify({ metric: "API_CALL", amount: 1, customerId: "c" }),
    });
    expect([track.status, await track.json()]).toMatchObject([401, { error: { reason: "ORGANIZATION_DELETED" } }]);
    await emptyOrganizations(app); // the retry is due, and this loop was first
    expect(await doctorOf(harness)).toEqual([]); // what was to be done is gone on purpose
    await drain();
    expect(receiver.got.length).toBe(sent);
    expect(await rowsOf(harness, [tenant.testId])).toMatchObject({ customer: 1 }); // not yet: calls may be under way
  });

  test("goes a little at a time, and no other's row may be deleted so", async () => {
    const harness = await setup();
    const { tenant, ownerDb, app, clock, drain } = harness;
    await sql`insert into usage_event (tenant_id, idempotency_key, metric, customer_id, amount, occurred_at,
        occurred_at_sent, properties, batch_id)
      select ${tenant.testId}, n::text, 'CALLS', 'c', 1, '2015-05-01', true, '{}', gen_random_uuid()
      from generate_series(1, 12000) as n`.execute(ownerDb);
    const steal = sql`select delete_tenant_rows(${tenant.testId}, 'usage_event', 10, ${clock.now()})`;
    await expect(steal.execute(app.workerDb)).rejects.toThrow("is not to be deleted");
    await asOwner(harness, tenant).deleteOrganization({ name: "Acme" });
    clock.advance(WAITING_DAYS * DAY_MS + QUIET_MS);
    const partition = sql`select delete_tenant_rows(${tenant.testId}, 'organization', 10, ${clock.now()})`;
    await expect(partition.execute(app.workerDb)).rejects.toThrow("is no table of tenants");
    const never = new AbortController().signal;
    // Two at the same time, as two processes do.
    for (let done = 1; done > 0; ) {
      const both = await Promise.all([emptyOrganizations(app, never), emptyOrganizations(app, never)]);
      done = both[0] + both[1];
    }
    await drain();
    expect(Object.keys(await rowsOf(harness, [tenant.testId, tenant.liveId, tenant.organizationId]))).toEqual([
      "audit_entry",
      "audit_head",
    ]);
  });

  test("stays whole or goes whole when that is taken back in its last moment", async () => {
    const harness = await setup();
    const { tenant, clients, ownerDb, app, clock } = harness;
    const owner = asOwner(harness, tenant);
    await clients.pricing.pushCatalog({ catalog });
    const track = () => clients.usage.trackUsage({ events: [{ metric: "API_CALL", amount: "1", customerId: "c" }] });
    const waiting = async () => (await rowsOf(harness, [tenant.testId])).usage_batch ?? 0;
    await track();

    // It is taken back in time, and that is committed when its time has come.
    await owner.deleteOrganization({ name: "Acme" });
    clock.advance(WAITING_DAYS * DAY_MS - 1);
    const log = sql`select from audit_head where tenant_id = ${tenant.organizationId} for update`;
    const letLogGo = await holding(ownerDb, log);
    const takenBack = owner.cancelOrganizationDeletion({});
    await untilWaiting(ownerDb);
    clock.advance(1);
    const emptied = emptyOrganizations(app);
    await untilWaiting(ownerDb, 2);
    await letLogGo();
    await takenBack;
    await emptied;
    expect(await waiting()).toBe(1);

    // It is taken back too late, by who was let in before its time.
    await owner.deleteOrganization({ name: "Acme" });
    clock.advance(WAITING_DAYS * DAY_MS - 1);
    await owner.getOrganization({});
    const letRowGo = await holding(
      ownerDb,
      sql`select from organization where id = ${tenant.organizationId} for update`,
    );
    const late = refused(owner.cancelOrganizationDeletion({}));
    await untilWaiting(ownerDb);
    clock.advance(1);
    await emptyOrganizations(app);
    await letRowGo();
    expect(await late).toMatchObject({ code: 16, reason: ErrorReason.ORGANIZATION_DELETED });
    expect(await waiting()).toBe(0);
  });
});
