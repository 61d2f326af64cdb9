import { fromJsonString } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { CreditEntryKind, CreditSource } from "../../gen/usageflow/v1/credit_pb.ts";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { inTenant } from "../../server/db/database.ts";
import { expectLedgerToAddUp, ledger } from "../support/credits.ts";
import { type Harness, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const at = (time: string) => timestampFromDate(new Date(time));

async function events({ ownerDb }: Harness, type: string) {
  const rows = await ownerDb.selectFrom("outbox_event").select("data").where("type", "=", type).orderBy("id").execute();
  return rows.map(({ data }) => fromJsonString(EventDataSchema, data).creditGrant);
}

describe("a credit", () => {
  test("is granted to a customer, known or not, and told of", async () => {
    const harness = await setup();
    const { clients } = harness;
    const credit = { customerId: "ann", currency: "USD", amount: "25.5", note: "for the outage" };
    const { creditGrant } = await clients.invoice.createCreditGrant(credit);
    expect(creditGrant).toMatchObject({
      id: expect.stringMatching(/^crg_[0-9A-Za-z]{22}$/),
      customerId: "ann",
      currency: "USD",
      amountMinor: 2550n,
      remainingMinor: 2550n,
      source: CreditSource.GRANTED,
      priority: 50,
      note: "for the outage",
    });
    expect(creditGrant?.expiresAt).toBeUndefined();
    const bought = { customerId: "bob", currency: "JPY", amount: "100", source: CreditSource.BOUGHT, priority: 7 };
    const second = await clients.invoice.createCreditGrant({ ...bought, expiresAt: at("2015-07-01") });
    expect(second.creditGrant).toMatchObject({ amountMinor: 100n, source: CreditSource.BOUGHT, priority: 7 });
    expect((await clients.tenant.getCustomer({ id: "bob" })).customer?.id).toBe("bob");
    const { creditGrants } = await clients.invoice.listCreditGrants({});
    expect(creditGrants).toEqual([creditGrant, second.creditGrant]);
    expect((await clients.invoice.listCreditGrants({ customerId: "bob" })).creditGrants).toEqual([second.creditGrant]);
    expect(await events(harness, "credit.granted")).toEqual(creditGrants);
    const { creditEntries } = await clients.invoice.listCreditEntries({ grantId: creditGrant?.id ?? "" });
    expect(creditEntries).toMatchObject([
      { kind: CreditEntryKind.GRANTED, amountMinor: 2550n, currency: "USD", note: "for the outage", customerId: "ann" },
    ]);
  });

  test("is not granted when something is wrong with it", async () => {
    const { clients } = await setup();
    for (const [wrong, field] of [
      [{ amount: "0" }, "amount"],
      [{ amount: "0.001" }, "amount"],
      [{ amount: "-1" }, "amount"],
      [{ amount: "1.5", currency: "JPY" }, "amount"],
      [{ currency: "XXX" }, "currency"],
      [{ priority: 101 }, "priority"],
      [{ source: CreditSource.INVOICE }, "source"],
      [{ expiresAt: at("2015-05-21T00:00:00Z") }, "expires_at"],
      [{ customerId: "" }, "customer_id"],
    ] as const) {
      const credit = { customerId: "ann", currency: "USD", amount: "1", ...wrong };
      expect(await refused(clients.invoice.createCreditGrant(credit))).toMatchObject({
        code: Code.InvalidArgument,
        reason: ErrorReason.INVALID_FIELD,
        field,
      });
    }
    expect((await clients.invoice.listCreditGrants({})).creditGrants).toEqual([]);
  });

  test("goes when its time has come, and not before", async () => {
    const harness = await setup();
    const { clients, advanceTo } = harness;
    const credit = { customerId: "ann", currency: "USD", amount: "1" };
    await clients.invoice.createCreditGrant({ ...credit, expiresAt: at("2015-06-01T00:00:00Z") });
    await clients.invoice.createCreditGrant({ ...credit, expiresAt: at("2015-06-02T00:00:00Z") });
    await clients.invoice.createCreditGrant(credit);
    await advanceTo("2015-05-31T23:59:59Z");
    expect(await ledger(harness)).toEqual(["GRANTED 100", "GRANTED 100", "GRANTED 100"]);
    await advanceTo("2015-06-01T12:00:00Z");
    expect((await ledger(harness)).slice(3)).toEqual(["EXPIRED -100"]);
    await advanceTo("2016-01-01T00:00:00Z");
    const { creditEntries } = await clients.invoice.listCreditEntries({});
    expect(creditEntries.slice(3).map((entry) => entry.at && timestampDate(entry.at).toISOString())).toEqual([
      "2015-06-01T00:00:00.000Z",
      "2015-06-02T00:00:00.000Z",
    ]);
    const { creditGrants } = await clients.invoice.listCreditGrants({ customerId: "ann" });
    expect(creditGrants.map((grant) => grant.remainingMinor)).toEqual([0n, 0n, 100n]);
    expect(await events(harness, "credit.depleted")).toEqual(creditGrants.slice(0, 2));
    await expectLedgerToAddUp(harness);
  });

  test("is taken back once, however often it is asked, with the first reason", async () => {
    const harness = await setup();
    const { clients } = harness;
    const { creditGrant } = await clients.invoice.createCreditGrant({
      customerId: "ann",
      currency: "USD",
      amount: "3",
    });
    const id = creditGrant?.id ?? "";
    const revoked = await clients.invoice.revokeCreditGrant({ id, reason: "a mistake" });
    expect(revoked.creditGrant).toMatchObject({ amountMinor: 300n, remainingMinor: 0n, revokedAt: at("2015-05-21") });
    expect(await clients.invoice.revokeCreditGrant({ id, reason: "again" })).toEqual(revoked);
    const { creditEntries } = await clients.invoice.listCreditEntries({ grantId: id });
    expect(creditEntries.slice(1)).toMatchObject([
      { kind: CreditEntryKind.REVOKED, amountMinor: -300n, note: "a mistake" },
    ]);
    expect(await events(harness, "credit.depleted")).toEqual([revoked.creditGrant]);
    expect(await refused(clients.invoice.revokeCreditGrant({ id: "crg_0000000000000000000000" }))).toMatchObject({
      code: Code.NotFound,
    });
  });
});

test("the ledger pages, and so do the grants", async () => {
  const { clients } = await setup();
  const credit = { customerId: "ann", currency: "USD", amount: "1" };
  for (let i = 0; i < 3; i++) await clients.invoice.createCreditGrant(credit);
  const first = await clients.invoice.listCreditEntries({ pageSize: 2 });
  const second = await clients.invoice.listCreditEntries({ pageSize: 2, pageToken: first.nextPageToken });
  const all = [...first.creditEntries, ...second.creditEntries];
  expect(all).toEqual((await clients.invoice.listCreditEntries({})).creditEntries);
  const page = await clients.invoice.listCreditGrants({ pageSize: 2 });
  const rest = await clients.invoice.listCreditGrants({ pageSize: 2, pageToken: page.nextPageToken });
  expect([...page.creditGrants, ...rest.creditGrants]).toHaveLength(3);
  expect(rest.nextPageToken).toBe("");
});

test("the database lets nobody take more than there is, give back more than was drawn, or change the ledger", async () => {
  const { app, clients, tenant } = await setup();
  await clients.invoice.createCreditGrant({ customerId: "ann", currency: "USD", amount: "1" });
  for (const db of [app.db, app.workerDb]) {
    const attempt = (statement: string) =>
      inTenant(db, tenant.testId, (tx) => sql.raw(statement).execute(tx)).then(
        () => "done",
        (error: { constraint?: string; message: string }) => error.constraint ?? error.message,
      );
    for (const left of [-1, 101]) {
      expect(await attempt(`update credit_grant set remaining_minor = ${left}`)).toBe("credit_grant_remaining");
    }
    for (const statement of [
      "update credit_grant set amount_minor = 1000",
      "delete from credit_grant",
      "update credit_entry set amount_minor = 1",
      "delete from credit_entry",
    ]) {
      expect(await attempt(statement)).toMatch(/^permission denied/);
    }
  }
});
