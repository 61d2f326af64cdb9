import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { InvoiceKind } from "../../gen/usageflow/v1/invoice_pb.ts";
import { ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UnbilledReason } from "../../gen/usageflow/v1/usage_pb.ts";
import { use } from "../support/billing.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { invoiceWords, mismatches, offered, started, told, words } from "../support/subscriptions.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z: 20 of May's 31 days are over.

async function endNow({ clients, drain }: Harness, id: string) {
  const { subscription } = await clients.pricing.endSubscription({ id, timing: ChangeTiming.NOW });
  await drain();
  return words(subscription);
}

describe("an end at once", () => {
  test("invoices what was used until then, and gives back what was paid in advance and is not used", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    await use(harness, "ann", "2000", "2015-05-20T00:00:00Z");
    const over = "starter 1 x1, 05-21T00:00 to 05-21T00:00, ends 05-21T00:00";
    expect(await endNow(harness, id)).toBe(over);
    await use(harness, "ann", "5", "2015-05-21T00:00:00Z");
    await harness.advanceTo("2015-07-01T01:00:00Z");
    expect(await invoiceWords(harness)).toEqual([
      "INV-000001 in advance starter 05-01T00:00 to 06-01T00:00: Fee 31.00",
      "INV-000002 in arrears starter 05-01T00:00 to 05-21T00:00: Calls: 2000 units 20.00; " +
        "Changes in 2015-05-01 to 2015-06-01: 20.00 instead of 31.00 -11.00",
    ]);
    expect(await mismatches(harness)).toEqual([]);
    expect((await told(harness)).at(-1)).toBe(`subscription.ended ${over}`);
    expect(await endNow(harness, id)).toBe(over);
    await started(harness, "starter"); // the plan is free again
  });

  test("makes an invoice of its own where there is none to say what comes back", async () => {
    const harness = await offered();
    const id = await started(harness, "seats", { quantity: 3 });
    await endNow(harness, id);
    await harness.advanceTo("2015-05-21T01:00:00Z");
    expect((await invoiceWords(harness)).slice(1)).toEqual([
      "INV-000002 adjustment seats 05-01T00:00 to 06-01T00:00: " +
        "Changes in 2015-05-01 to 2015-06-01: 60.00 instead of 93.00 -33.00; Granted as credit 33.00",
    ]);
    expect(await mismatches(harness)).toEqual([]);
  });

  test("leaves an adjustment that a call can finalize: it waits for no end of the period that it prices again", async () => {
    const harness = await offered();
    const id = await started(harness, "seats");
    await endNow(harness, id);
    const draft = (await listAllInvoices(harness.clients)).at(-1);
    const { invoice } = await harness.clients.invoice.finalizeInvoice({ id: draft?.id ?? "" });
    expect(invoice).toMatchObject({ kind: InvoiceKind.ADJUSTMENT, number: "INV-000002", creditMinor: -1100n });
    expect(await mismatches(harness)).toEqual([]);
  });

  test("comes before one that was to come with the period, and leaves nothing to do", async () => {
    const harness = await offered();
    const id = await started(harness, "late_seats");
    await harness.clients.pricing.endSubscription({ id });
    await harness.advanceTo("2015-05-26T00:00:00Z");
    expect(await endNow(harness, id)).toBe("late_seats 1 x1, 05-26T00:00 to 05-26T00:00, ends 05-26T00:00");
    await harness.advanceTo("2015-07-01T00:00:00Z");
    expect(await invoiceWords(harness)).toEqual([
      "INV-000001 in arrears late_seats 05-01T00:00 to 05-26T00:00: Seats, 25 of 31 days 25.00; Calls: 0 units 0.00",
    ]);
    expect(await harness.ownerDb.selectFrom("tenant_due").selectAll().execute()).toEqual([]);
  });

  test("in the second in which its period begins bills nothing", async () => {
    const harness = await offered();
    const id = await started(harness, "starter", { startAt: "2015-05-21T00:00:00Z" });
    await endNow(harness, id);
    await harness.advanceTo("2015-05-21T01:00:00Z");
    expect((await invoiceWords(harness)).slice(1)).toEqual([
      "INV-000002 adjustment starter 05-21T00:00 to 06-01T00:00: " +
        "Changes in 2015-05-21 to 2015-06-01: 0.00 instead of 11.00 -11.00; Granted as credit 11.00",
    ]);
  });

  test.each([
    ["not begun", { startAt: new Date("2015-06-10T00:00:00Z") }, "06-10T00:00"],
    ["in its trial", { trialEndsAt: new Date("2015-06-10T00:00:00Z") }, "05-21T00:00"],
  ])("of one that is %s bills nothing, ever", async (_, times, ends) => {
    const harness = await offered();
    const { clients } = harness;
    const at = Object.fromEntries(Object.entries(times).map(([name, time]) => [name, timestampFromDate(time)]));
    const { subscription } = await clients.pricing.startSubscription({ customerId: "ann", plan: "starter", ...at });
    expect(await endNow(harness, subscription?.id ?? "")).toBe(`starter 1 x1, ${ends} to ${ends}, ends ${ends}`);
    await harness.advanceTo("2015-08-01T00:00:00Z");
    expect(await invoiceWords(harness)).toEqual([]);
  });

  test("leaves later usage unbilled, and waits where the last period is not closed", async () => {
    const harness = await offered();
    const { clients, ownerDb, tenant } = harness;
    const id = await started(harness, "starter");
    const clock = { clock_frozen_at: new Date("2015-06-01T00:00:00Z") };
    await ownerDb.updateTable("tenant").set(clock).where("tenant_id", "=", tenant.testId).execute();
    expect(await refused(endNow(harness, id))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    await harness.drain();
    await endNow(harness, id);
    const event = { metric: "API_CALL", amount: "1", customerId: "ann", idempotencyKey: "after" };
    await clients.usage.trackUsage({ events: [event] });
    await harness.drain();
    expect(await clients.usage.explainUsageEvent({ idempotencyKey: "after" })).toMatchObject({
      unbilledReason: UnbilledReason.NO_SUBSCRIPTION,
    });
  });
});

describe("an end with the period", () => {
  test("is told when it comes, and drops what else was to come then", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    await harness.clients.pricing.changeSubscription({ id, plan: "team", timing: ChangeTiming.PERIOD_END });
    const { subscription } = await harness.clients.pricing.endSubscription({ id });
    expect(subscription).toMatchObject({ nextPlan: "", nextPlanVersion: 0 });
    expect(await told(harness)).toHaveLength(1);
    await harness.advanceTo("2015-06-01T00:00:00Z");
    expect((await told(harness)).slice(1)).toEqual([
      "subscription.ended starter 1 x1, 06-01T00:00 to 06-01T00:00, ends 06-01T00:00",
    ]);
  });

  test("is taken back by a resume, until it has come", async () => {
    const harness = await offered();
    const { pricing } = harness.clients;
    const id = await started(harness, "starter");
    await pricing.endSubscription({ id });
    const resume = async () => words((await pricing.resumeSubscription({ id })).subscription);
    expect([await resume(), await resume()]).toEqual(Array(2).fill("starter 1 x1, 05-01T00:00 to 06-01T00:00"));
    await harness.advanceTo("2015-06-01T01:00:00Z");
    await pricing.endSubscription({ id });
    await harness.advanceTo("2015-07-01T00:00:00Z");
    expect(await refused(resume())).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
    expect(await invoiceWords(harness)).toHaveLength(4);
  });

  test("that was to come with a trial is taken back too", async () => {
    const harness = await offered();
    const { pricing } = harness.clients;
    const trialEndsAt = timestampFromDate(new Date("2015-06-11T00:00:00Z"));
    const { subscription } = await pricing.startSubscription({ customerId: "ann", plan: "starter", trialEndsAt });
    const id = subscription?.id ?? "";
    await pricing.endSubscription({ id });
    const resumed = (await pricing.resumeSubscription({ id })).subscription;
    expect(words(resumed)).toBe("starter 1 x1, 06-11T00:00 to 07-01T00:00");
    expect(resumed).toEqual(subscription);
    await harness.advanceTo("2015-06-11T00:00:00Z");
    expect(await invoiceWords(harness)).toEqual([
      // 31.00 less 10 of 30 days of it, 10.33.
      "INV-000001 in advance starter 06-11T00:00 to 07-01T00:00: Fee, 20 of 30 days 20.67",
    ]);
  });
});

test("what comes back of a period that did not end is on an invoice that can be final before that", async () => {
  const harness = await offered();
  const { clients } = harness;
  const id = await started(harness, "seats", { startAt: "2015-05-01T00:00:00Z" });
  await clients.pricing.endSubscription({ id, timing: ChangeTiming.NOW });
  await harness.drain();
  const draft = (await listAllInvoices(clients)).find(({ number }) => number === "");
  const { invoice } = await clients.invoice.finalizeInvoice({ id: draft?.id ?? "" });
  expect(invoice).toMatchObject({
    kind: InvoiceKind.ADJUSTMENT,
    number: "INV-000002",
    totalMinor: 0n,
    creditMinor: -1100n,
  });
  expect(await mismatches(harness)).toEqual([]);
});
