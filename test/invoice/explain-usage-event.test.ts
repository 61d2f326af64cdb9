import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UnbilledReason, UsageState } from "../../gen/usageflow/v1/usage_pb.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { usageCatalog } from "../support/usage-catalog.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour. The plan has a price for all metrics but
// FREE.

const { PENDING, UNBILLED, OPEN, DRAFT, BILLED } = UsageState;
const { NO_PRICE, NO_SUBSCRIPTION } = UnbilledReason;
const at = (time: string) => timestampFromDate(new Date(time));

/** A month of ann, who is on the plan from 10 May on. */
async function subscribed(): Promise<Harness> {
  const harness = await setup();
  const { clients } = harness;
  await clients.pricing.pushCatalog({ catalog: usageCatalog });
  await clients.pricing.startSubscription({ customerId: "ann", plan: "pro", startAt: at("2015-05-10T06:00:00Z") });
  return harness;
}

function track({ clients }: Harness, key: string, time: string, { metric = "SUM", customerId = "ann" } = {}) {
  const event = {
    metric,
    customerId,
    amount: "2",
    idempotencyKey: key,
    occurredAt: at(time),
    properties: { user: key },
  };
  return clients.usage.trackUsage({ events: [event] });
}

describe("explainUsageEvent", () => {
  test("follows an event from its commit to a line of an invoice", async () => {
    const harness = await subscribed();
    const { clients, drain, advanceTo } = harness;
    const explain = (idempotencyKey: string) => clients.usage.explainUsageEvent({ idempotencyKey });
    await track(harness, "a", "2015-05-20T10:59:59.999999Z");
    const waiting = await explain("a");
    expect(waiting).toMatchObject({ state: PENDING, foldNumber: 0n, billings: [] });
    expect(waiting.usageEvent).toMatchObject({ metric: "SUM", amount: "2", customerId: "ann" });
    expect(waiting.bucketHour).toBeUndefined();

    await drain();
    const [subscription] = (await clients.pricing.listSubscriptions({})).subscriptions;
    const billing = {
      subscriptionId: subscription?.id,
      plan: "pro",
      planVersion: 1,
      priceKey: "sum",
      periodStart: at("2015-05-10T06:00:00Z"),
      periodEnd: at("2015-06-01T00:00:00Z"),
      unbilledReason: UnbilledReason.UNSPECIFIED,
    };
    expect(await explain("a")).toMatchObject({
      state: OPEN,
      unbilledReason: UnbilledReason.UNSPECIFIED,
      bucketHour: at("2015-05-20T10:00:00Z"),
      foldNumber: 1n,
      billings: [{ ...billing, state: OPEN, invoiceId: "", invoiceNumber: "" }],
    });

    await advanceTo("2015-06-01T00:30:00Z");
    const [draft] = await listAllInvoices(clients);
    expect(await explain("a")).toMatchObject({
      state: DRAFT,
      billings: [{ ...billing, state: DRAFT, invoiceId: draft?.id, invoiceNumber: "" }],
    });

    await advanceTo("2015-06-01T01:00:00Z");
    expect(await explain("a")).toMatchObject({
      state: BILLED,
      billings: [{ ...billing, state: BILLED, invoiceId: draft?.id, invoiceNumber: "INV-000001" }],
    });

    // Late: May's invoice is final. June's is not.
    await track(harness, "late", "2015-05-20T10:59:00Z");
    await track(harness, "june", "2015-06-01T00:59:00Z");
    await drain();
    expect(await explain("late")).toMatchObject({
      state: OPEN,
      bucketHour: at("2015-05-20T10:00:00Z"),
      billings: [{ ...billing, state: OPEN, invoiceId: "", invoiceNumber: "" }],
    });
    expect(await explain("a")).toMatchObject({ state: BILLED });
    expect(await explain("june")).toMatchObject({
      state: OPEN,
      billings: [{ state: OPEN, periodStart: at("2015-06-01T00:00:00Z"), periodEnd: at("2015-07-01T00:00:00Z") }],
    });
  });

  test("says why an event is on no bill: no subscription at that time, or no price for the metric", async () => {
    const harness = await subscribed();
    const { clients, drain } = harness;
    await track(harness, "before", "2015-05-10T05:59:59Z");
    await track(harness, "first", "2015-05-10T06:00:00Z");
    await track(harness, "free", "2015-05-20T00:00:00Z", { metric: "FREE" });
    await track(harness, "stranger", "2015-05-20T00:00:00Z", { customerId: "bob" });
    await drain();
    const explain = async (idempotencyKey: string) => {
      const { state, unbilledReason, billings } = await clients.usage.explainUsageEvent({ idempotencyKey });
      return [state, unbilledReason, billings.map(({ priceKey, state }) => [priceKey, state])];
    };
    expect(await explain("before")).toEqual([UNBILLED, NO_SUBSCRIPTION, []]);
    expect(await explain("stranger")).toEqual([UNBILLED, NO_SUBSCRIPTION, []]);
    expect(await explain("first")).toEqual([OPEN, UnbilledReason.UNSPECIFIED, [["sum", OPEN]]]);
    expect(await explain("free")).toEqual([UNBILLED, NO_PRICE, [["", UNBILLED]]]);
  });

  test("takes the furthest of several subscriptions, and knows when each has ended", async () => {
    const harness = await subscribed();
    const { clients, drain, advanceTo } = harness;
    const [first] = (await clients.pricing.listSubscriptions({})).subscriptions;
    const plan = { currency: "USD", period: "PERIOD_MONTHLY" };
    const plans = [
      { ...plan, key: "fee", prices: [{ key: "fee", flat: { amount: "5" } }] },
      { ...plan, key: "twice", prices: [{ key: "total", metric: "SUM", perUnit: { unitAmount: "2" } }] },
    ];
    await clients.pricing.pushCatalog({ catalog: fromJson(CatalogSchema, { plans }) });
    for (const { key } of plans) await clients.pricing.startSubscription({ customerId: "ann", plan: key });
    await clients.pricing.endSubscription({ id: first?.id ?? "" });
    await track(harness, "may", "2015-05-20T10:00:00Z");
    await drain();
    const explain = async (idempotencyKey: string) => {
      const { state, billings } = await clients.usage.explainUsageEvent({ idempotencyKey });
      return [state, billings.map(({ plan, priceKey, state }) => [plan, priceKey, state])];
    };
    expect(await explain("may")).toEqual([
      OPEN,
      [
        ["pro", "sum", OPEN],
        ["twice", "total", OPEN],
        ["fee", "", UNBILLED],
      ],
    ]);
    await advanceTo("2015-06-02T00:00:00Z");
    await track(harness, "june", "2015-06-01T00:00:00Z");
    await drain();
    expect(await explain("may")).toMatchObject([BILLED, [["pro", "sum", BILLED], ["twice", "total", BILLED], {}]]);
    expect(await explain("june")).toEqual([
      OPEN,
      [
        ["twice", "total", OPEN],
        ["fee", "", UNBILLED],
      ],
    ]);
  });

  test("an event of the next period is billed with it, though that has not begun", async () => {
    const harness = await subscribed();
    await harness.advanceTo("2015-05-31T23:58:00Z");
    await track(harness, "ahead", "2015-06-01T00:01:00Z");
    await harness.drain();
    const { state, billings } = await harness.clients.usage.explainUsageEvent({ idempotencyKey: "ahead" });
    expect([state, billings[0]?.state, billings[0]?.periodStart]).toEqual([OPEN, OPEN, undefined]);
  });

  test("does not find an event that is none, nor another tenant's", async () => {
    const harness = await subscribed();
    await track(harness, "a", "2015-05-20T00:00:00Z");
    const stranger = harness.clientsFor((await harness.addOrganization("Other")).testKey);
    for (const { usage } of [stranger, harness.clients]) {
      const idempotencyKey = usage === stranger.usage ? "a" : "b";
      expect(await refused(usage.explainUsageEvent({ idempotencyKey }))).toMatchObject({ code: Code.NotFound });
    }
  });
});
