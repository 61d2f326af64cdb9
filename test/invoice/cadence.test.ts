import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Alignment, CatalogSchema, Period } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UnbilledReason, UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";
import { use } from "../support/billing.ts";
import { cadenced, invoicesOf, short, start, timesOf } from "../support/cadence.ts";
import { listAllInvoices, TEST_CLOCK } from "../support/harness.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z, a Thursday; the grace period is an hour.

const ANNIVERSARY = { alignment: "ALIGNMENT_ANNIVERSARY" };

describe("periods are invoiced", () => {
  test("by the week, from Monday", async () => {
    const harness = await cadenced({ period: "PERIOD_WEEKLY" });
    expect(timesOf(await start(harness))).toBe("2015-05-18 - 2015-05-18 2015-05-25 -");
    await use(harness, "ann", "1", "2015-05-18T00:00:00Z");
    await harness.advanceTo("2015-05-24T23:59:59Z");
    await use(harness, "ann", "2", "2015-05-24T23:59:59Z");
    await harness.advanceTo("2015-05-25T00:00:00Z");
    await use(harness, "ann", "4", "2015-05-25T00:00:00Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await invoicesOf(harness)).toEqual(["2015-05-18 2015-05-25 2003", "2015-05-25 2015-06-01 2004"]);
  });

  test("by the quarter and by the year", async () => {
    const quarterly = await cadenced({ period: "PERIOD_QUARTERLY" });
    await start(quarterly);
    await quarterly.advanceTo("2016-01-01T01:00:00Z");
    expect(await invoicesOf(quarterly)).toEqual([
      "2015-04-01 2015-07-01 2000",
      "2015-07-01 2015-10-01 2000",
      "2015-10-01 2016-01-01 2000",
    ]);
    const yearly = await cadenced({ period: "PERIOD_YEARLY", ...ANNIVERSARY });
    await start(yearly, { startAt: "2016-02-29T12:00:00Z" });
    await yearly.advanceTo("2020-03-01T00:00:00Z");
    expect(await invoicesOf(yearly)).toEqual([
      "2016-02-29T12 2017-02-28T12 2000",
      "2017-02-28T12 2018-02-28T12 2000",
      "2018-02-28T12 2019-02-28T12 2000",
      "2019-02-28T12 2020-02-29T12 2000",
    ]);
  });

  test("from an anchor on the 31st, without drifting where a month is shorter", async () => {
    const harness = await cadenced(ANNIVERSARY);
    const subscription = await start(harness, { startAt: "2015-05-31T07:00:00Z" });
    expect([short(subscription.anchor), subscription.timeZone]).toEqual(["2015-05-31T07", "UTC"]);
    await use(harness, "ann", "1", "2015-05-20T00:00:00Z"); // before it began
    await harness.advanceTo("2015-06-30T06:59:59Z");
    await use(harness, "ann", "2", "2015-06-30T06:59:59Z");
    await harness.advanceTo("2015-06-30T07:00:00Z");
    await use(harness, "ann", "4", "2015-06-30T07:00:00Z");
    await harness.advanceTo("2015-09-30T08:00:00Z");
    expect(await invoicesOf(harness)).toEqual([
      "2015-05-31T07 2015-06-30T07 2002",
      "2015-06-30T07 2015-07-31T07 2004",
      "2015-07-31T07 2015-08-31T07 2000",
      "2015-08-31T07 2015-09-30T07 2000",
    ]);
    const { invoices } = await harness.clients.invoice.listInvoices({});
    for (const { id } of invoices) {
      expect(await harness.clients.invoice.verifyInvoice({ id })).toMatchObject({ matches: true });
    }
  });

  test("in the tenant's time zone, where clocks change", async () => {
    const harness = await cadenced({}, "Europe/Berlin");
    await start(harness, { startAt: "2015-09-30T22:00:00Z" });
    await harness.advanceTo("2015-10-31T22:59:59Z");
    await use(harness, "ann", "1", "2015-10-31T22:59:59Z");
    await harness.advanceTo("2015-10-31T23:00:00Z");
    await use(harness, "ann", "2", "2015-10-31T23:00:00Z");
    await harness.advanceTo("2015-12-01T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual(["2015-09-30T22 2015-10-31T23 2001", "2015-10-31T23 2015-11-30T23 2002"]);
  });

  test("to the second where a time zone, an anchor or a trial cuts an hour", async () => {
    const harness = await cadenced({}, "Asia/Kolkata"); // half an hour beside UTC's hours
    await start(harness, { startAt: "2015-05-10T06:07:08Z", trialEndsAt: "2015-05-20T20:45:10Z" });
    const events = [
      ["before", "2015-05-10T06:07:07.999Z"],
      ["trial", "2015-05-10T06:07:08Z"],
      ["trial", "2015-05-20T20:45:09.999Z"],
      ["may", "2015-05-20T20:45:10Z"],
      ["may", "2015-05-31T18:29:59.999Z"],
      ["june", "2015-05-31T18:30:00Z"],
    ] as const;
    await harness.advanceTo("2015-05-31T19:00:00Z");
    await harness.clients.usage.trackUsage({
      events: events.map(([, time], i) => {
        const occurredAt = timestampFromDate(new Date(time));
        return { metric: "API_CALL", amount: String(2 ** i), customerId: "ann", idempotencyKey: `e${i}`, occurredAt };
      }),
    });
    await harness.advanceTo("2015-07-01T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual([
      "2015-05-20T20:45:10 2015-05-31T18:30 728", // 942,290 of 2,678,400 seconds of the fee
      "2015-05-31T18:30 2015-06-30T18:30 2032",
    ]);
    const { usage, invoice } = harness.clients;
    for (const { id } of (await invoice.listInvoices({})).invoices) {
      expect(await invoice.verifyInvoice({ id })).toMatchObject({ matches: true });
    }
    const reasons = { before: UnbilledReason.NO_SUBSCRIPTION, trial: UnbilledReason.TRIAL };
    for (const [i, [where]] of events.entries()) {
      const { unbilledReason, billings } = await usage.explainUsageEvent({ idempotencyKey: `e${i}` });
      if (where === "before" || where === "trial") expect(unbilledReason).toBe(reasons[where]);
      else expect(short(billings[0]?.periodEnd)).toBe(where === "may" ? "2015-05-31T18:30" : "2015-06-30T18:30");
    }
    const { unbilledUsage } = await usage.listUnbilledUsage({});
    expect(unbilledUsage.map(({ reason, quantity }) => [reason, quantity])).toEqual([
      [UnbilledReason.NO_SUBSCRIPTION, "1"],
      [UnbilledReason.TRIAL, "6"],
    ]);
    const series = await usage.getUsage({
      metric: "API_CALL",
      customerId: "ann",
      start: timestampFromDate(new Date("2015-05-01T00:00:00Z")),
      end: timestampFromDate(new Date("2015-07-01T00:00:00Z")),
      interval: UsageInterval.PERIOD,
    });
    expect(series.points.map((point) => `${short(point.start)} ${point.quantity}`)).toEqual([
      "2015-05-01 31",
      "2015-05-31T18:30 32",
      "2015-06-30T18:30 0",
    ]);
  });

  test("in the zone in which the subscription started, though the tenant's is another one now", async () => {
    const harness = await cadenced({}, "America/New_York");
    await start(harness);
    await harness.clients.tenant.updateTenant({ timeZone: "Asia/Tokyo" });
    await use(harness, "bob", "1", "2015-05-20T00:00:00Z");
    const { subscription } = await harness.clients.pricing.startSubscription({ customerId: "bob", plan: "pro" });
    expect(timesOf(subscription)).toBe("2015-04-30T15 - 2015-04-30T15 2015-05-31T15 -");
    await harness.advanceTo("2015-07-02T00:00:00Z");
    expect((await invoicesOf(harness)).sort()).toEqual([
      "2015-04-30T15 2015-05-31T15 2001",
      "2015-05-01T04 2015-06-01T04 2000",
      "2015-05-31T15 2015-06-30T15 2000",
      "2015-06-01T04 2015-07-01T04 2000",
    ]);
  });

  test("and their documents name its days, of late usage too", async () => {
    const harness = await cadenced({}, "Asia/Tokyo");
    await start(harness);
    await harness.advanceTo("2015-06-01T00:00:00Z");
    await use(harness, "ann", "7", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-07-01T00:00:00Z");
    const [may, june] = await listAllInvoices(harness.clients);
    expect([may?.timeZone, june?.timeZone]).toEqual(["Asia/Tokyo", "Asia/Tokyo"]);
    expect(june?.lines.at(-1)?.description).toBe("Late usage of 2015-05-01 to 2015-06-01: 20.07 instead of 20.00");
    const { matches } = await harness.clients.invoice.verifyInvoice({ id: june?.number ?? "" });
    expect(matches).toBe(true);
  });

  test("without gap or overlap from where billing begins, for any length, alignment, zone, start and trial", async () => {
    const harness = await cadenced({});
    const { tenant, pricing } = harness.clients;
    const lengths = [Period.WEEKLY, Period.MONTHLY, Period.QUARTERLY, Period.YEARLY];
    const plans = lengths.flatMap((period) =>
      [Alignment.CALENDAR, Alignment.ANNIVERSARY].map((alignment) => ({ period, alignment })),
    );
    const prices = [{ key: "fee", model: { case: "flat" as const, value: { amount: "1" } } }];
    const catalog = create(CatalogSchema, {
      plans: plans.map((plan, i) => ({ key: `p${i}`, currency: "USD", prices, ...plan })),
    });
    await pricing.pushCatalog({ catalog });
    const day = fc.integer({ min: 0, max: 86_400 * 40 });
    const arbitrary = fc.tuple(fc.constantFrom(...Intl.supportedValuesOf("timeZone")), day, fc.option(day, { nil: 0 }));
    const from = Date.parse(TEST_CLOCK) / 1_000;
    for (const [i, [timeZone, start, trial]] of fc.sample(arbitrary, { numRuns: 16, seed: 5 }).entries()) {
      await tenant.updateTenant({ timeZone });
      const request = { customerId: `c${i}`, plan: `p${i % plans.length}` };
      const at = (seconds: number) => ({ seconds: BigInt(from + seconds), nanos: 0 });
      await pricing.startSubscription({ ...request, startAt: at(start), trialEndsAt: at(start + trial) });
    }
    const now = { clock_frozen_at: new Date("2016-10-01T00:00:00Z") };
    await harness.ownerDb.updateTable("tenant").set(now).where("tenant_id", "=", harness.tenant.testId).execute();
    await harness.drain();
    const invoices = Map.groupBy(await listAllInvoices(harness.clients), (invoice) => invoice.subscriptionId);
    for (const subscription of (await pricing.listSubscriptions({})).subscriptions) {
      const periods = (invoices.get(subscription.id) ?? []).map(({ periodStart, periodEnd }) => [
        periodStart,
        periodEnd,
      ]);
      const edges = [subscription.trialEndsAt ?? subscription.startedAt, ...periods.map(([, end]) => end)];
      expect(periods.length).toBeGreaterThan(0);
      expect(periods.map(([start]) => short(start))).toEqual(edges.slice(0, -1).map(short));
      expect(short(subscription.periodStart)).toBe(short(edges.at(-1)));
    }
  });

  test("until a subscription ends, with the period of its own that is open", async () => {
    const harness = await cadenced({ period: "PERIOD_WEEKLY", ...ANNIVERSARY });
    const { id } = await start(harness);
    await harness.advanceTo("2015-05-29T00:00:00Z");
    const ended = await harness.clients.pricing.endSubscription({ id });
    expect(timesOf(ended.subscription)).toBe("2015-05-21 - 2015-05-28 2015-06-04 2015-06-04");
    await harness.advanceTo("2015-08-01T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual(["2015-05-21 2015-05-28 2000", "2015-05-28 2015-06-04 2000"]);
  });
});
