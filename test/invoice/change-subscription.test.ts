import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { ChangeTiming, PlanSchema, PriceSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { use } from "../support/billing.ts";
import type { Harness } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { invoiceWords, mismatches, offered, started, told, words } from "../support/subscriptions.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z: 20 of May's 31 days are over.

interface Wish {
  plan?: string;
  planVersion?: number;
  quantity?: number;
  timing?: ChangeTiming;
}

async function change({ clients, drain }: Harness, id: string, wish: Wish) {
  const { subscription } = await clients.pricing.changeSubscription({ id, ...wish });
  await drain();
  return words(subscription);
}

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

describe("other seats at once", () => {
  test("are billed in arrears for as long as there were so many", async () => {
    const harness = await offered();
    const id = await started(harness, "late_seats");
    expect(await change(harness, id, { quantity: 3 })).toBe("late_seats 1 x3, 05-01T00:00 to 06-01T00:00");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const [invoice] = (await harness.clients.invoice.listInvoices({})).invoices;
    expect(invoice?.lines[0]).toMatchObject({
      quantity: "3",
      amountMinor: 5300n, // 20 days of 1.00 and 11 of 3.00
      exactAmount: "53",
      description: "Seats",
      steps: [
        { quantity: "1", unitAmount: "20", description: "1 seat at 31 for 20 of 31 days" },
        { quantity: "1", unitAmount: "33", description: "3 seats at 31 for 11 of 31 days" },
      ],
    });
    await harness.advanceTo("2015-07-01T01:00:00Z");
    expect((await invoiceWords(harness)).at(-1)).toContain(": Seats 93.00;");
    expect(await mismatches(harness)).toEqual([]);
  });

  test("that were billed in advance are made up for on the next invoice, whatever comes after", async () => {
    const harness = await offered();
    const id = await started(harness, "seats", { quantity: 2 });
    await change(harness, id, { quantity: 5 });
    await harness.advanceTo("2015-05-26T00:00:00Z");
    await change(harness, id, { quantity: 4 });
    expect(await change(harness, id, { quantity: 2 })).toBe("seats 1 x2, 05-01T00:00 to 06-01T00:00");
    await harness.advanceTo("2015-06-16T00:00:00Z");
    await change(harness, id, { quantity: 1 });
    await harness.advanceTo("2015-07-01T00:00:00Z");
    expect(await invoiceWords(harness)).toEqual([
      "INV-000001 in advance seats 05-01T00:00 to 06-01T00:00: Seats 62.00",
      // 2 seats for 20 days, 5 for 5, 2 for 6: 40 + 25 + 12.
      "INV-000002 in advance seats 06-01T00:00 to 07-01T00:00: Seats 62.00; " +
        "Changes in 2015-05-01 to 2015-06-01: 77.00 instead of 62.00 15.00",
      // 15 of 30 days of 62.00 and of 31.00.
      "INV-000003 in advance seats 07-01T00:00 to 08-01T00:00: Seats 31.00; " +
        "Changes in 2015-06-01 to 2015-07-01: 46.50 instead of 62.00 -15.50",
    ]);
    expect(await mismatches(harness)).toEqual([]);
  });

  test("do not touch fees that are not by seats", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    await change(harness, id, { quantity: 7 });
    await harness.advanceTo("2015-06-01T00:00:00Z");
    expect((await invoiceWords(harness)).at(-1)).toBe(
      "INV-000002 in advance starter 06-01T00:00 to 07-01T00:00: Fee 31.00",
    );
  });
});

describe("a change when the period ends", () => {
  const timing = ChangeTiming.PERIOD_END;

  test("is shown until it comes, and told when it does", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    expect(await change(harness, id, { plan: "team", quantity: 4, timing })).toBe(
      "starter 1 x1, 05-01T00:00 to 06-01T00:00",
    );
    const get = async () => (await harness.clients.pricing.getSubscription({ id })).subscription;
    expect(await get()).toMatchObject({ nextPlan: "team", nextPlanVersion: 1, nextQuantity: 4 });
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await get()).toMatchObject({ plan: "team", quantity: 4, nextPlan: "", nextPlanVersion: 0, nextQuantity: 0 });
    expect((await invoiceWords(harness)).slice(1)).toEqual([
      "INV-000003 in arrears starter 05-01T00:00 to 06-01T00:00: Calls: 0 units 0.00",
      "INV-000002 in advance team 06-01T00:00 to 07-01T00:00: Fee 62.00",
    ]);
    expect((await told(harness)).at(-1)).toBe("subscription.changed team 1 x4, 06-01T00:00 to 07-01T00:00");
  });

  test("is taken back by what it has now, and by another change of the same at once", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    const next = async (wish: Wish) => {
      await change(harness, id, wish);
      const { subscription } = await harness.clients.pricing.getSubscription({ id });
      return [subscription?.nextPlan, subscription?.nextQuantity];
    };
    expect(await next({ plan: "team", quantity: 2, timing })).toEqual(["team", 2]);
    expect(await next({ plan: "free", timing })).toEqual(["free", 2]);
    expect(await next({ plan: "starter", timing })).toEqual(["", 2]);
    expect(await next({ quantity: 1, timing })).toEqual(["", 0]);
    expect(await next({ plan: "team", quantity: 2, timing })).toEqual(["team", 2]);
    expect(await next({ quantity: 5 })).toEqual(["team", 0]);
    expect(await next({ plan: "starter" })).toEqual(["", 0]);
  });

  test("moves from anniversaries to the calendar with a part of a period", async () => {
    const harness = await offered();
    const id = await started(harness, "anniversary", { startAt: "2015-05-11T00:00:00Z" });
    await change(harness, id, { plan: "team", timing });
    await harness.advanceTo("2015-06-11T00:00:00Z");
    expect((await invoiceWords(harness)).at(-1)).toContain(
      "in advance team 06-11T00:00 to 07-01T00:00: Fee, 20 of 30 days 41.33",
    );
  });

  test("keeps its plan from other subscriptions of the customer, and stays where one passed it all the same", async () => {
    const harness = await offered();
    const { clients, ownerDb } = harness;
    const id = await started(harness, "starter");
    await change(harness, id, { plan: "team", timing });
    const start = clients.pricing.startSubscription({ customerId: "ann", plan: "team" });
    expect(await refused(start)).toMatchObject({ reason: ErrorReason.ALREADY_EXISTS });
    await started(harness, "free");
    const passed = { next_plan_key: "free", next_plan_version: 1 };
    await ownerDb.updateTable("subscription").set(passed).where("plan_key", "=", "starter").execute();
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const { subscriptions } = await clients.pricing.listSubscriptions({});
    expect(subscriptions.map(words)).toEqual([
      "starter 1 x1, 06-01T00:00 to 07-01T00:00",
      "free 1 x1, 06-01T00:00 to 07-01T00:00",
    ]);
  });
});
