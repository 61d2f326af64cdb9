import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { ChangeTiming, PlanSchema, PriceSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { use } from "../support/billing.ts";
import { refused } from "../support/refused.ts";
import { change, invoiceWords, mismatches, offered, started, told, type Wish } from "../support/subscriptions.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z: 20 of May's 31 days are over.

describe("another plan at once", () => {
  test("cuts the period: each side is billed under its plan, and what was paid in advance and not used comes back", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    await use(harness, "ann", "100", "2015-05-20T23:59:59Z");
    expect(await change(harness, id, { plan: "team" })).toBe("team 1 x1, 05-21T00:00 to 06-01T00:00");
    await use(harness, "ann", "1000", "2015-05-21T00:00:00Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await invoiceWords(harness)).toEqual([
      "INV-000001 in advance starter 05-01T00:00 to 06-01T00:00: Fee 31.00",
      "INV-000003 in arrears starter 05-01T00:00 to 05-21T00:00: Calls: 100 units 1.00",
      // 11 of 31 days of 62.00; and of 31.00 for May only 20 of 31 days are owed.
      "INV-000002 in advance team 05-21T00:00 to 06-01T00:00: Fee, 11 of 31 days 22.00; " +
        "Changes in 2015-05-01 to 2015-06-01: 20.00 instead of 31.00 -11.00",
      "INV-000005 in arrears team 05-21T00:00 to 06-01T00:00: Calls: 1000 units 5.00",
      "INV-000004 in advance team 06-01T00:00 to 07-01T00:00: Fee 62.00",
    ]);
    expect(await mismatches(harness)).toEqual([]);
    expect(await told(harness)).toEqual([
      "subscription.started starter 1 x1, 05-01T00:00 to 06-01T00:00",
      "subscription.changed team 1 x1, 05-21T00:00 to 06-01T00:00",
    ]);
  });

  test("bills what falls due in advance before the cut in the same call, where no worker was there yet", async () => {
    const harness = await offered();
    const { subscription } = await harness.clients.pricing.startSubscription({ customerId: "ann", plan: "starter" });
    await change(harness, subscription?.id ?? "", { plan: "team" });
    expect(await invoiceWords(harness)).toEqual([
      "INV-000001 in advance starter 05-01T00:00 to 06-01T00:00: Fee 20.00",
      "draft in arrears starter 05-01T00:00 to 05-21T00:00: Calls: 0 units 0.00",
      "INV-000002 in advance team 05-21T00:00 to 06-01T00:00: Fee, 11 of 31 days 22.00",
    ]);
    expect(await mismatches(harness)).toEqual([]);
  });

  test("takes over a period that begins in this very second, and the same one back only in the next", async () => {
    const harness = await offered();
    const id = await started(harness, "starter", { startAt: "2015-05-21T00:00:00Z" });
    expect(await change(harness, id, { plan: "team" })).toBe("team 1 x1, 05-21T00:00 to 06-01T00:00");
    expect(await refused(change(harness, id, { plan: "starter" }))).toMatchObject({
      reason: ErrorReason.STATE_CONFLICT,
    });
    expect(await change(harness, id, { plan: "free" })).toBe("free 1 x1, 05-21T00:00 to 06-01T00:00");
    await harness.advanceTo("2015-05-21T00:00:01Z");
    expect(await change(harness, id, { plan: "starter" })).toBe("starter 1 x1, 05-21T00:00 to 06-01T00:00");
    await harness.advanceTo("2015-05-22T00:00:00Z");
    expect(await invoiceWords(harness)).toEqual([
      "INV-000001 in advance starter 05-21T00:00 to 06-01T00:00: Fee, 11 of 31 days 11.00",
      "INV-000002 in advance team 05-21T00:00 to 06-01T00:00: Fee, 11 of 31 days 22.00; " +
        "Changes in 2015-05-21 to 2015-06-01: 0.00 instead of 11.00 -11.00",
      "INV-000004 in arrears free 05-21T00:00 to 05-21T00:00: Calls: 0 units 0.00",
      "INV-000003 in advance starter 05-21T00:00 to 06-01T00:00: Fee, 950399 of 2678400 seconds 11.00; " +
        "Changes in 2015-05-21 to 2015-06-01: 0.00 instead of 22.00 -22.00; Granted as credit 11.00",
    ]);
    expect(await mismatches(harness)).toEqual([]);
  });

  test("cuts no period before its start, where the worker that began it has a clock ahead of this one's", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    await harness.advanceTo("2015-06-01T00:00:00Z");
    const clock = { clock_frozen_at: new Date("2015-05-31T23:59:59.900Z") };
    await harness.ownerDb.updateTable("tenant").set(clock).where("tenant_id", "=", harness.tenant.testId).execute();
    expect(await change(harness, id, { plan: "team" })).toBe("team 1 x1, 06-01T00:00 to 07-01T00:00");
    await harness.advanceTo("2015-06-02T00:00:00Z");
    expect((await invoiceWords(harness)).at(-1)).toContain(
      "in advance team 06-01T00:00 to 07-01T00:00: Fee 62.00; " +
        "Changes in 2015-06-01 to 2015-07-01: 0.00 instead of 31.00 -31.00",
    );
  });

  test.each([
    // 1 January to 21 May are 140 of 365 days.
    ["yearly", "yearly 1 x1, 05-21T10:00 to 01-01T00:00", "Fee, 5390 of 8760 hours 224.58"],
    ["anniversary", "anniversary 1 x1, 05-21T10:00 to 06-21T10:00", "Fee 30.00"],
  ])("begins a period of the new plan's own where that is cut otherwise: %s", async (plan, became, fee) => {
    const harness = await offered();
    const id = await started(harness, "starter");
    await harness.advanceTo("2015-05-21T10:00:00Z");
    expect(await change(harness, id, { plan })).toBe(became);
    expect((await invoiceWords(harness)).at(-1)).toContain(`${plan} `);
    expect((await invoiceWords(harness)).at(-1)).toContain(`: ${fee}`);
  });

  test("keeps the day on which an anniversary falls", async () => {
    const harness = await offered();
    const id = await started(harness, "anniversary", { startAt: "2015-05-10T00:00:00Z" });
    const prices = [create(PriceSchema, { key: "fee", model: { case: "flat", value: { amount: "3" } } })];
    const latest = create(PlanSchema, { key: "anniversary", currency: "USD", period: 1, alignment: 2, prices });
    await harness.clients.pricing.pushCatalog({ catalog: { plans: [latest] } });
    expect(await change(harness, id, { plan: "anniversary" })).toBe("anniversary 2 x1, 05-21T00:00 to 06-10T00:00");
    expect(await change(harness, id, { plan: "anniversary", planVersion: 1 })).toBe(
      "anniversary 1 x1, 05-21T00:00 to 06-10T00:00",
    );
  });

  test.each([
    ["not begun", { startAt: new Date("2015-06-10T00:00:00Z") }, "06-10T00:00 to 07-01T00:00"],
    ["in its trial", { trialEndsAt: new Date("2015-06-10T00:00:00Z") }, "06-10T00:00 to 07-01T00:00"],
  ])("replaces the plan of one that is %s, and nothing is billed before", async (_, times, period) => {
    const harness = await offered();
    const { clients } = harness;
    const at = Object.fromEntries(Object.entries(times).map(([name, time]) => [name, timestampFromDate(time)]));
    const { subscription } = await clients.pricing.startSubscription({ customerId: "ann", plan: "starter", ...at });
    const id = subscription?.id ?? "";
    const later = change(harness, id, { plan: "euro", timing: ChangeTiming.PERIOD_END }); // after a period in USD
    expect(await refused(later)).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    expect(await change(harness, id, { plan: "euro", quantity: 2 })).toBe(`euro 1 x2, ${period}`);
    expect(await change(harness, id, { plan: "team" })).toBe(`team 1 x2, ${period}`);
    await harness.advanceTo("2015-06-10T00:00:00Z");
    // 21 of 30 days of 62.00.
    expect(await invoiceWords(harness)).toEqual([
      "INV-000001 in advance team 06-10T00:00 to 07-01T00:00: Fee, 21 of 30 days 43.40",
    ]);
  });

  test("of one that is on it already changes nothing", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    expect(await change(harness, id, { plan: "starter", quantity: 1 })).toBe(
      "starter 1 x1, 05-01T00:00 to 06-01T00:00",
    );
    expect(await invoiceWords(harness)).toHaveLength(1);
    expect(await told(harness)).toHaveLength(1);
  });

  test("happens once when it is asked for many times at once", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    const asked = Array.from({ length: 8 }, () => harness.clients.pricing.changeSubscription({ id, plan: "team" }));
    await Promise.all([...asked, harness.drain(), harness.drain()]);
    await harness.drain();
    expect(await told(harness)).toHaveLength(2);
    expect(await invoiceWords(harness)).toHaveLength(3);
  });

  test("and a start on the same plan at the same time: one of them is refused", async () => {
    const harness = await offered();
    const { pricing } = harness.clients;
    const customers = ["ann", "bob", "cat", "dan"];
    for (const customerId of customers) {
      const id = await started(harness, "starter", { customerId });
      const calls = [
        refused(pricing.changeSubscription({ id, plan: "team" })),
        refused(pricing.startSubscription({ customerId, plan: "team" })),
      ];
      const reasons = (await Promise.all(calls)).map((refusal) => refusal?.reason);
      expect(reasons.toSorted()).toEqual([ErrorReason.ALREADY_EXISTS, undefined]);
    }
  });

  test("is refused where it cannot be billed", async () => {
    const harness = await offered();
    const { clients, ownerDb, tenant } = harness;
    const id = await started(harness, "starter");
    const other = await started(harness, "team", { customerId: "bob" });
    await started(harness, "free", { customerId: "bob" });
    const reason = async (wish: Wish, of = id) => (await refused(change(harness, of, wish)))?.reason;
    expect(await reason({ plan: "euro" })).toBe(ErrorReason.STATE_CONFLICT);
    expect(await reason({ plan: "nope" })).toBe(ErrorReason.NOT_FOUND);
    expect(await reason({ plan: "team", planVersion: 2 })).toBe(ErrorReason.NOT_FOUND);
    expect(await reason({})).toBe(ErrorReason.INVALID_FIELD);
    expect(await reason({ quantity: 2, planVersion: 1 })).toBe(ErrorReason.INVALID_FIELD);
    expect(await reason({ quantity: -1 })).toBe(ErrorReason.INVALID_FIELD);
    expect(await reason({ plan: "free" }, other)).toBe(ErrorReason.ALREADY_EXISTS);
    expect(await reason({ plan: "free", timing: ChangeTiming.PERIOD_END }, other)).toBe(ErrorReason.ALREADY_EXISTS);
    await clients.pricing.endSubscription({ id: other });
    expect(await reason({ plan: "starter" }, other)).toBe(ErrorReason.STATE_CONFLICT);
    const clock = { clock_frozen_at: new Date("2015-06-01T00:00:00Z") };
    await ownerDb.updateTable("tenant").set(clock).where("tenant_id", "=", tenant.testId).execute();
    expect(await reason({ quantity: 2 })).toBe(ErrorReason.STATE_CONFLICT); // May is not closed yet
    await harness.drain();
    expect(await reason({ quantity: 2 })).toBeUndefined();
    expect(await reason({ quantity: 2 }, other)).toBe(ErrorReason.STATE_CONFLICT); // it is over
  });
});

describe("usage around a cut", () => {
  test("is billed by the plan of its second, also where that is within an hour, on time or late", async () => {
    const harness = await offered();
    const { clients } = harness;
    const id = await started(harness, "starter");
    await harness.advanceTo("2015-05-21T10:30:00Z");
    await change(harness, id, { plan: "team" });
    await harness.advanceTo("2015-05-21T10:59:00Z");
    const track = (idempotencyKey: string, amount: string, at: string) => {
      const occurredAt = timestampFromDate(new Date(at));
      return clients.usage.trackUsage({
        events: [{ metric: "API_CALL", amount, customerId: "ann", idempotencyKey, occurredAt }],
      });
    };
    await track("before", "100", "2015-05-21T10:29:59.999Z");
    await track("after", "1000", "2015-05-21T10:30:00Z");
    await harness.drain();
    const plans = async (...keys: string[]) => {
      const asked = keys.map((idempotencyKey) => clients.usage.explainUsageEvent({ idempotencyKey }));
      return (await Promise.all(asked)).map(({ billings }) => billings.map(({ plan }) => plan).join());
    };
    expect(await plans("before", "after")).toEqual(["starter", "team"]);
    await harness.advanceTo("2015-05-21T12:00:00Z");
    await track("late", "200", "2015-05-21T10:00:00Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await plans("before", "late", "after")).toEqual(["starter", "starter", "team"]);
    const arrears = (await invoiceWords(harness)).filter((invoice) => invoice.includes("in arrears"));
    expect(arrears).toEqual([
      "INV-000003 in arrears starter 05-01T00:00 to 05-21T10:30: Calls: 100 units 1.00",
      "INV-000005 in arrears team 05-21T10:30 to 06-01T00:00: Calls: 1000 units 5.00",
    ]);
    expect((await invoiceWords(harness)).at(-1)).toContain(
      "Late usage of 2015-05-01 to 2015-05-21 10:30: 3.00 instead of 1.00 2.00",
    );
    expect((await clients.usage.listUnbilledUsage({})).unbilledUsage).toEqual([]);
    expect(await mismatches(harness)).toEqual([]);
  });
});
