import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { AuditBreachSchema, type AuditEntry } from "../../gen/usageflow/v1/audit_pb.ts";
import type { TailAuditEntriesResponse } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { startApi } from "../../server/api.ts";
import { createClients } from "../support/clients.ts";
import { collect } from "../support/collect.ts";
import { type Harness, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const COUNT = 6;

async function start() {
  const harness = await setup();
  const { tenant } = harness.clients;
  const put = (name: string) => tenant.putCustomer({ customer: { id: "c", name } });
  for (let i = 1; i <= COUNT; i++) await put(`${i}`);
  const meddle = (statement: ReturnType<typeof sql>) => statement.execute(harness.ownerDb);
  return { ...harness, put, meddle };
}

const breachOf = async ({ clients }: Pick<Harness, "clients">, after?: { sequence: bigint; hash: Uint8Array }) => {
  const { breach, breachSequence } = await clients.tenant.verifyAudit(after ? { after } : {});
  return [AuditBreachSchema.value[breach]?.localName, Number(breachSequence)];
};

describe("a chain that somebody meddled with, as the owner of the database", () => {
  test("is whole as long as nobody does", async () => {
    const harness = await start();
    const { verified, head } = await harness.clients.tenant.verifyAudit({});
    expect(head?.sequence).toBe(BigInt(COUNT));
    expect(verified).toEqual(head);
    expect(await breachOf(harness)).toEqual(["UNSPECIFIED", 0]);
    expect(await breachOf(harness, head)).toEqual(["UNSPECIFIED", 0]);
  });

  test("shows an entry that was deleted", async () => {
    const harness = await start();
    await harness.meddle(sql`delete from audit_entry where sequence = 3`);
    expect(await breachOf(harness)).toEqual(["MISSING", 3]);
  });

  test("shows a deleted entry whose place another took", async () => {
    const harness = await start();
    await harness.meddle(sql`delete from audit_entry where sequence = 3`);
    for (let i = 4; i <= COUNT; i++) {
      await harness.meddle(sql`update audit_entry set sequence = sequence - 1 where sequence = ${i}`);
    }
    await harness.meddle(sql`update audit_head set sequence = sequence - 1`);
    expect(await breachOf(harness)).toEqual(["CHANGED", 3]);
  });

  test.each([
    ["recorded_at", "recorded_at + interval '1 second'"],
    ["action", "'GetTenant'"],
    ["actor", "'key_x'"],
    ["key_id", "'key_x'"],
    ["address", "'10.0.0.1'"],
    ["request_id", "'x'"],
    ["subject", "'d'"],
    ["refusal", "'PERMISSION_DENIED'"],
    ["left_out_count", "1"],
    ["detail", "replace(detail, '\"4\"', '\"5\"')"],
    ["hash", "sha256(hash)"],
  ])("shows an entry whose %s was changed", async (column, value) => {
    const harness = await start();
    await harness.meddle(sql`update audit_entry set ${sql.raw(column)} = ${sql.raw(value)} where sequence = 4`);
    const breach = column === "hash" ? "KEY_UNKNOWN" : "CHANGED";
    expect(await breachOf(harness)).toEqual([breach, 4]);
  });

  test("shows a hash that the server did not make", async () => {
    const harness = await start();
    await harness.meddle(sql`
      update audit_entry set hash = substr(hash, 1, 4) || sha256(hash) where sequence = 4`);
    expect(await breachOf(harness)).toEqual(["CHANGED", 4]);
  });

  test("shows entries that changed places", async () => {
    const harness = await start();
    for (const [from, to] of [
      [2, 99],
      [5, 2],
      [99, 5],
    ]) {
      await harness.meddle(sql`update audit_entry set sequence = ${to} where sequence = ${from}`);
    }
    expect(await breachOf(harness)).toEqual(["CHANGED", 2]);
  });

  test("shows an entry that was slipped in, and one that was put at the end", async () => {
    const harness = await start();
    const copy = (sequence: number) => sql`
      insert into audit_entry select tenant_id, ${sequence}, recorded_at, action, actor, key_id, address, request_id,
        subject, refusal, left_out_count, detail, hash from audit_entry where sequence = 2`;
    await harness.meddle(copy(COUNT + 1));
    expect(await breachOf(harness)).toEqual(["EXTRA", COUNT + 1]);
    await harness.meddle(sql`update audit_head set sequence = ${COUNT + 1}`);
    expect(await breachOf(harness)).toEqual(["CHANGED", COUNT + 1]);
  });

  test("shows an entry of another tenant's chain", async () => {
    const harness = await start();
    const other = await harness.addOrganization("Other");
    await harness.meddle(
      sql`update audit_entry set tenant_id = ${other.testId} where tenant_id = ${harness.tenant.testId}`,
    );
    await harness.meddle(
      sql`update audit_head set tenant_id = ${other.testId} where tenant_id = ${harness.tenant.testId}`,
    );
    const stranger = { clients: harness.clientsFor(other.testKey) };
    expect(await breachOf(stranger)).toEqual(["CHANGED", 1]);
  });

  test("shows an end that was cut off, to who kept the head", async () => {
    const harness = await start();
    const { head } = await harness.clients.tenant.verifyAudit({});
    await harness.meddle(sql`delete from audit_entry where sequence > 4`);
    expect(await breachOf(harness)).toEqual(["MISSING", 5]);
    await harness.meddle(sql`
      update audit_head h set sequence = 4, hash = e.hash from audit_entry e
      where e.tenant_id = h.tenant_id and e.sequence = 4`);
    expect(await breachOf(harness)).toEqual(["UNSPECIFIED", 0]); // nothing in the database tells
    expect(await breachOf(harness, head)).toEqual(["MISSING", COUNT]);
    for (const name of ["5", "six"]) await harness.put(name); // written anew, by the server itself
    expect(await breachOf(harness)).toEqual(["UNSPECIFIED", 0]);
    expect(await breachOf(harness, head)).toEqual(["CHANGED", COUNT]);
  });

  test("shows a head that was changed or lost, and takes no further entry at a place that is taken", async () => {
    const harness = await start();
    await harness.meddle(sql`update audit_head set hash = sha256(hash)`);
    expect(await breachOf(harness)).toEqual(["CHANGED", COUNT]);
    await harness.meddle(sql`delete from audit_head`);
    expect(await breachOf(harness)).toEqual(["EXTRA", 1]);
    expect(await refused(harness.put("x"))).toBeDefined();
  });
});

test("the server's roles may add entries, and neither change nor delete one", async () => {
  const { app } = await start();
  for (const db of [app.db, app.workerDb]) {
    for (const statement of [
      sql`update audit_entry set action = 'x'`,
      sql`delete from audit_entry`,
      sql`truncate audit_entry`,
    ]) {
      await expect(statement.execute(db)).rejects.toMatchObject({ code: "42501" });
    }
    await expect(sql`delete from audit_head`.execute(db)).rejects.toMatchObject({ code: "42501" });
  }
});

test("a chain goes on under a new master key, and is verified as long as the one before is known", async () => {
  const harness = await start();
  const { masterKey } = harness.app.config;
  const now = randomBytes(32);
  const breachUnder = async (otherMasterKeys: Buffer[]) => {
    const api = await startApi(await harness.addApp({ masterKey: now, otherMasterKeys }));
    const clients = createClients(api.url, harness.tenant.testKey);
    await clients.tenant.putCustomer({ customer: { id: "d", name: `${otherMasterKeys.length}` } });
    const breach = await breachOf({ clients });
    const known = await breachOf({ clients }, (await clients.tenant.verifyAudit({})).head);
    await api.close();
    return { breach, known };
  };
  expect(await breachUnder([masterKey])).toEqual({ breach: ["UNSPECIFIED", 0], known: ["UNSPECIFIED", 0] });
  expect(await breachUnder([])).toEqual({ breach: ["KEY_UNKNOWN", 1], known: ["UNSPECIFIED", 0] });
});

test("writers at the same time make one chain without gaps", async () => {
  const harness = await setup();
  const { tenant } = harness.clients;
  const ids = Array.from({ length: 40 }, (_, i) => `c${i}`);
  await Promise.all(ids.map((id) => tenant.putCustomer({ customer: { id } })));
  const { head, breach } = await tenant.verifyAudit({});
  expect([head?.sequence, breach]).toEqual([40n, 0]);
});

test("the log is filtered and paged, newest first", async () => {
  const { clients, clock } = await setup();
  for (const id of ["a", "b", "a"]) {
    await clients.tenant.putCustomer({ customer: { id, name: `${clock.now().getTime()}` } });
    clock.advance(1_000);
  }
  await clients.tenant.updateTenant({ memo: "x" });
  const list = async (filter: object) =>
    (await clients.tenant.listAuditEntries({ filter })).auditEntries.map((entry) => Number(entry.sequence));
  expect(await list({})).toEqual([4, 3, 2, 1]);
  expect(await list({ subject: "a" })).toEqual([3, 1]);
  expect(await list({ actions: ["UpdateTenant"] })).toEqual([4]);
  expect(await list({ refused: true })).toEqual([]);
  expect(await list({ actor: "key_x" })).toEqual([]);
  const [, , , first] = (await clients.tenant.listAuditEntries({})).auditEntries as AuditEntry[];
  expect(await list({ end: first?.recordedAt })).toEqual([]);
  expect(await list({ start: first?.recordedAt, actor: first?.actor })).toEqual([4, 3, 2, 1]);
  const page = await clients.tenant.listAuditEntries({ pageSize: 3 });
  const rest = await clients.tenant.listAuditEntries({ pageSize: 3, pageToken: page.nextPageToken });
  expect([page, rest].map((one) => one.auditEntries.length)).toEqual([3, 1]);
});

test("a tail begins where it is asked to, misses nothing, and tells of its place", async () => {
  const { clients } = await setup();
  const put = (id: string) => clients.tenant.putCustomer({ customer: { id } });
  const tail = (request: object) => collect((signal) => clients.tenant.tailAuditEntries(request, { signal }));
  await put("before");
  const fromNow = tail({});
  await fromNow.until((got) => got.length > 0);
  await Promise.all(["a", "b", "c"].map(put));
  const subjects = (got: readonly TailAuditEntriesResponse[]) =>
    got.flatMap(({ auditEntry }) => auditEntry?.subject ?? []);
  expect(subjects(await fromNow.until((got) => subjects(got).length >= 3)).sort()).toEqual(["a", "b", "c"]);
  const place = fromNow.got.at(-1)?.sequence ?? 0n;
  await put("d");
  const goesOn = tail({ afterSequence: place, filter: { actions: ["PutCustomer"] } });
  expect(subjects(await goesOn.until((got) => subjects(got).length > 0))).toEqual(["d"]);
  const all = tail({ afterSequence: 0n });
  expect(subjects(await all.until((got) => subjects(got).length >= 5))[0]).toBe("before");
});

test("an export is the whole log, itself included, and ends with the head", async () => {
  const { clients } = await start();
  const got = await Array.fromAsync(clients.tenant.exportAudit({}));
  const parts = got.map(({ part }) => part);
  const entries = parts.flatMap((part) => (part.case === "auditEntry" ? [part.value] : []));
  expect(entries.map((entry) => entry.action)).toEqual([...Array(COUNT).fill("PutCustomer"), "ExportAudit"]);
  const head = parts.at(-1);
  expect(head).toMatchObject({ case: "head", value: { sequence: BigInt(COUNT + 1), hash: entries.at(-1)?.hash } });
  expect(head?.case === "head" && (await clients.tenant.verifyAudit({ after: head.value })).breach).toBe(0);
});
