import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { UnbilledReason, UsageState } from "../../gen/usageflow/v1/usage_pb.ts";
import { inTenant } from "../../server/db/database.ts";
import { holdDue } from "../../server/tenant/due.ts";
import { use } from "../support/billing.ts";
import { cadenced, invoicesOf, short, start, timesOf } from "../support/cadence.ts";
import { listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { untilWaiting } from "../support/waiting.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour.

const ANNIVERSARY = { alignment: "ALIGNMENT_ANNIVERSARY" };
const advance = { key: "fee", flat: { amount: "5.00", timing: "FLAT_TIMING_IN_ADVANCE" } };

describe("a trial", () => {
  test("is not charged, and the calendar period's rest after it is the first period", async () => {
    const harness = await cadenced({ trialDays: 14 });
    expect(timesOf(await start(harness))).toBe("2015-05-21 2015-06-04 2015-06-04 2015-07-01 -");
    await use(harness, "ann", "1", "2015-05-21T00:00:00Z");
    await harness.advanceTo("2015-06-03T23:00:00Z");
    await use(harness, "ann", "2", "2015-06-03T23:00:00Z");
    expect(await invoicesOf(harness)).toEqual([]);
    await harness.advanceTo("2015-06-04T00:00:00Z");
    await use(harness, "ann", "4", "2015-06-04T00:00:00Z");
    await harness.advanceTo("2015-07-01T01:00:00Z");
    const [invoice] = await listAllInvoices(harness.clients);
    expect([short(invoice?.periodStart), short(invoice?.periodEnd)]).toEqual(["2015-06-04", "2015-07-01"]);
    expect(invoice?.lines.map((line) => line.quantity)).toEqual(["1", "4"]);
  });

  test("anchors anniversary periods where it ends, at the same time of day in the zone", async () => {
    const harness = await cadenced({ ...ANNIVERSARY, trialDays: 30 }, "Europe/Berlin");
    const subscription = await start(harness, { startAt: "2015-10-15T10:00:00Z" });
    expect(timesOf(subscription)).toBe("2015-10-15T10 2015-11-14T11 2015-11-14T11 2015-12-14T11 -");
    expect(short(subscription.anchor)).toBe("2015-11-14T11");
    await harness.advanceTo("2016-01-15T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual(["2015-11-14T11 2015-12-14T11 2000", "2015-12-14T11 2016-01-14T11 2000"]);
  });

  test("puts off fees in advance and a minimum too", async () => {
    const harness = await cadenced({ ...ANNIVERSARY, trialDays: 7, minimumAmount: "9.00", prices: [advance] });
    await start(harness);
    await harness.advanceTo("2015-05-27T23:59:59Z");
    expect(await invoicesOf(harness)).toEqual([]);
    await harness.advanceTo("2015-05-28T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual(["2015-05-28 2015-06-28 500"]);
    await harness.advanceTo("2015-06-28T01:00:00Z");
    expect(await invoicesOf(harness)).toEqual([
      "2015-05-28 2015-06-28 500",
      "2015-05-28 2015-06-28 900",
      "2015-06-28 2015-07-28 500",
    ]);
  });

  test("leaves its usage unbilled, and says so", async () => {
    const harness = await cadenced({ trialDays: 14 });
    await start(harness);
    const send = (idempotencyKey: string, at: string) =>
      harness.clients.usage.trackUsage({
        events: [{ metric: "API_CALL", amount: "3", customerId: "ann", idempotencyKey, occurredAt: time(at) }],
      });
    const time = (text: string) => ({ seconds: BigInt(Date.parse(text) / 1_000), nanos: 0 });
    await send("before", "2015-05-20T23:00:00Z");
    await send("in", "2015-05-21T00:00:00Z");
    await harness.advanceTo("2015-06-05T00:00:00Z");
    await send("after", "2015-06-04T00:00:00Z");
    await harness.drain();
    const explain = async (idempotencyKey: string) => {
      const { state, unbilledReason } = await harness.clients.usage.explainUsageEvent({ idempotencyKey });
      return [state, unbilledReason];
    };
    expect(await explain("before")).toEqual([UsageState.UNBILLED, UnbilledReason.NO_SUBSCRIPTION]);
    expect(await explain("in")).toEqual([UsageState.UNBILLED, UnbilledReason.TRIAL]);
    expect(await explain("after")).toEqual([UsageState.OPEN, UnbilledReason.UNSPECIFIED]);
    const { unbilledUsage } = await harness.clients.usage.listUnbilledUsage({});
    expect(unbilledUsage.map(({ reason, quantity }) => [reason, quantity])).toEqual([
      [UnbilledReason.NO_SUBSCRIPTION, "3"],
      [UnbilledReason.TRIAL, "3"],
    ]);
  });

  test("that a subscription ends in ends it, without an invoice, and the plan is free again", async () => {
    const harness = await cadenced({ trialDays: 14, prices: [advance] });
    const { id } = await start(harness);
    const { pricing, invoice } = harness.clients;
    const end = async () => timesOf((await pricing.endSubscription({ id })).subscription);
    const ended = "2015-05-21 2015-06-04 2015-06-04 2015-06-04 2015-06-04";
    expect([await end(), await end()]).toEqual([ended, ended]);
    expect(await refused(start(harness))).toMatchObject({ code: Code.AlreadyExists });
    const preview = invoice.previewInvoice({ subject: { case: "subscriptionId", value: id } });
    expect(await refused(preview)).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    await harness.advanceTo("2015-06-04T00:00:00Z");
    await harness.advanceTo("2015-08-01T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual([]);
    expect(await harness.ownerDb.selectFrom("tenant_due").selectAll().execute()).toEqual([]);
    expect(timesOf(await start(harness, { trialEndsAt: "2015-08-02T00:00:00Z" }))).toMatch(/^2015-08-01 2015-08-02/);
  });

  test("that is over when a subscription ends changes nothing", async () => {
    const harness = await cadenced({ trialDays: 14 });
    const { id } = await start(harness);
    await harness.advanceTo("2015-06-04T00:00:00Z");
    const { subscription } = await harness.clients.pricing.endSubscription({ id });
    expect(timesOf(subscription)).toBe("2015-05-21 2015-06-04 2015-06-04 2015-07-01 2015-07-01");
    await harness.advanceTo("2015-08-01T00:00:00Z");
    // 20.00 less 3 of 30 days of it, 2.00.
    expect(await invoicesOf(harness)).toEqual(["2015-06-04 2015-07-01 1800"]);
  });

  test("can be ended while a worker closes periods: neither waits for what the other has", async () => {
    const harness = await cadenced({ trialDays: 14 });
    const { id } = await start(harness);
    const { app, tenant, clients, ownerDb } = harness;
    const ended = await inTenant(app.workerDb, tenant.testId, async (tx) => {
      await holdDue(tx, tenant.testId, "CLOSE_PERIODS");
      const ending = clients.pricing.endSubscription({ id });
      await untilWaiting(ownerDb);
      await tx.selectFrom("subscription").selectAll().where("tenant_id", "=", tenant.testId).forUpdate().execute();
      return { ending };
    });
    expect(short((await ended.ending).subscription?.endsAt)).toBe("2015-06-04");
  });

  test("may be given with the start: longer, shorter, or none", async () => {
    const none = await cadenced({ trialDays: 14 });
    const startAt = "2015-05-10T00:00:00Z";
    expect(timesOf(await start(none, { startAt, trialEndsAt: startAt }))).toBe("2015-05-10 - 2015-05-10 2015-06-01 -");
    const longest = await cadenced({});
    const given = await start(longest, { trialEndsAt: "2017-05-20T00:00:00Z" });
    expect(timesOf(given)).toBe("2015-05-21 2017-05-20 2017-05-20 2017-06-01 -");
  });

  test.each([
    ["before the start", "2015-05-20T23:59:59Z"],
    ["too long", "2017-05-20T00:00:01Z"],
    ["not to the second", "2015-06-01T00:00:00.5Z"],
    ["before the epoch", "1960-01-01T00:00:00Z"],
  ])("%s is refused", async (_, trialEndsAt) => {
    const harness = await cadenced({});
    expect(await refused(start(harness, { trialEndsAt }))).toEqual({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_FIELD,
      field: "trial_ends_at",
    });
  });

  test.each([-1, 731])("of %d days is refused", async (trialDays) => {
    expect(await refused(cadenced({ trialDays }))).toMatchObject({ field: "catalog.plans[0].trial_days" });
  });
});
