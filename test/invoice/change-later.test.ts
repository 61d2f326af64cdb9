import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { refused } from "../support/refused.ts";
import { change, invoiceWords, offered, started, told, type Wish, words } from "../support/subscriptions.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z.

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
    expect((await told(harness)).at(-1)).toBe("subscription.changed starter 1 x1, 06-01T00:00 to 07-01T00:00");
  });
});
