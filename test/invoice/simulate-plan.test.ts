import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { CustomerSimulation } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { CatalogSchema, type Plan, PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { billed, priced, use } from "../support/billing.ts";
import type { Clients } from "../support/clients.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const at = (time: string) => timestampFromDate(new Date(time));
const published = (key: string, version = 0) => ({ case: "published" as const, value: { key, version } });
const defined = (plan: Plan) => ({ case: "definition" as const, value: plan });

function planOf(prices: JsonObject[], more: JsonObject = {}): Plan {
  return fromJson(PlanSchema, { key: "next", currency: "USD", period: "PERIOD_MONTHLY", prices, ...more });
}

const perCall = (unitAmount: string) => ({ key: "calls", metric: "API_CALL", perUnit: { unitAmount } });
const told = (customers: readonly CustomerSimulation[]) =>
  customers.map((one) => [one.customerId, one.periods, one.oldMinor, one.newMinor, one.differencePercent]);

/** A plan with everything that a period can be charged for. */
const whole = planOf(
  [
    { key: "seat", flat: { amount: "9.90", timing: "FLAT_TIMING_IN_ADVANCE" } },
    { key: "base", flat: { amount: "5" } },
    { ...perCall("0.013"), includedQuantity: "100" },
    { key: "share", metric: "API_CALL", percentage: { percent: "2.5", fixedAmount: "0.1", freeEvents: 1 } },
  ],
  { minimumAmount: "12" },
);

/** Two months of usage of three customers. */
async function useTwoMonths(harness: Harness): Promise<void> {
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await use(harness, "ann", "100", "2015-05-20T01:00:00Z");
  await use(harness, "bob", "7", "2015-05-20T00:00:00Z");
  await harness.advanceTo("2015-06-20T00:00:00Z");
  await use(harness, "bob", "5000", "2015-06-19T00:00:00Z");
  await use(harness, "cyd", "1", "2015-06-19T00:00:00Z");
  await harness.advanceTo("2015-07-02T00:00:00Z");
}

/** What the invoices of May and June come to, by customer. */
async function invoiced(clients: Clients): Promise<Map<string, bigint>> {
  const totals = new Map<string, bigint>();
  for (const { customerId, totalMinor, periodEnd } of await listAllInvoices(clients)) {
    if (periodEnd && periodEnd.seconds <= at("2015-07-01").seconds) {
      totals.set(customerId, (totals.get(customerId) ?? 0n) + totalMinor);
    }
  }
  return totals;
}

describe("simulatePlan", () => {
  test("says what was invoiced, and what is invoiced where the plan is in force", { timeout: 60_000 }, async () => {
    const old = await priced();
    await useTwoMonths(old);
    const real = await setup();
    const metrics = [{ key: "API_CALL", aggregation: "AGGREGATION_SUM" }];
    const catalog = fromJson(CatalogSchema, { metrics, defaultPlan: "next" });
    await real.clients.pricing.pushCatalog({ catalog: { ...catalog, plans: [whole] } });
    await useTwoMonths(real);

    const { customers, currency, planVersion } = await old.clients.invoice.simulatePlan({ plan: defined(whole) });
    expect([currency, planVersion]).toEqual(["USD", 0]);
    expect(customers.map(({ customerId, periods }) => [customerId, periods])).toEqual([
      ["ann", 2],
      ["bob", 2],
      ["cyd", 1],
    ]);
    const totals = (side: "oldMinor" | "newMinor") => new Map(customers.map((one) => [one.customerId, one[side]]));
    expect(totals("oldMinor")).toEqual(await invoiced(old.clients));
    expect(totals("newMinor")).toEqual(await invoiced(real.clients));
    for (const one of customers) expect(one.differenceMinor).toBe(one.newMinor - one.oldMinor);
    expect(await listAllInvoices(old.clients)).toHaveLength(5);
  });

  test("of the plan that customers are on finds no difference", async () => {
    const { clients } = await billed(["ann", "bob"]);
    const { customers, planVersion } = await clients.invoice.simulatePlan({ plan: published("pro") });
    expect(planVersion).toBe(1);
    expect(told(customers)).toEqual([
      ["ann", 1, 3_722n, 3_722n, "0"],
      ["bob", 1, 3_722n, 3_722n, "0"],
    ]);
  });

  test("prices usage that came late under both plans", async () => {
    const harness = await billed(["ann"]);
    await use(harness, "ann", "100", "2015-05-21T00:00:00Z");
    await harness.drain();
    const { customers } = await harness.clients.invoice.simulatePlan({ plan: defined(planOf([perCall("0.1")])) });
    expect(told(customers)).toEqual([["ann", 1, 4_055n, 5_820n, "43.53"]]);
  });

  test("takes the version that is named", async () => {
    const { clients } = await billed(["ann"]);
    const free = planOf([{ key: "base", flat: { amount: "0" } }], { key: "pro" });
    await clients.pricing.pushCatalog({ catalog: { plans: [free] } });
    const simulate = async (version: number) =>
      told((await clients.invoice.simulatePlan({ plan: published("pro", version) })).customers);
    expect(await simulate(0)).toEqual([["ann", 1, 3_722n, 0n, "-100"]]);
    expect(await simulate(1)).toEqual([["ann", 1, 3_722n, 3_722n, "0"]]);
    expect(await refused(simulate(3))).toMatchObject({ code: Code.NotFound });
  });

  test("leaves out periods that are open, void, outside the span, of others, or under other plans", async () => {
    const harness = await priced();
    const { clients } = harness;
    await useTwoMonths(harness);
    const [first] = (await clients.invoice.listInvoices({ customerId: "bob" })).invoices;
    await clients.invoice.voidInvoice({ id: first?.id ?? "", reason: "wrong" });
    const periods = async (filter: object) => {
      const { customers } = await clients.invoice.simulatePlan({ plan: published("pro"), ...filter });
      return customers.map((one) => `${one.customerId} ${one.periods}`);
    };
    expect(await periods({})).toEqual(["ann 2", "bob 1", "cyd 1"]);
    expect(await periods({ from: at("2015-06-01") })).toEqual(["ann 1", "bob 1", "cyd 1"]);
    expect(await periods({ until: at("2015-06-30T23:59:59Z") })).toEqual(["ann 1"]);
    expect(await periods({ until: at("2016-01-01") })).toEqual(["ann 2", "bob 1", "cyd 1"]);
    expect(await periods({ customerId: "cyd" })).toEqual(["cyd 1"]);
    expect(await periods({ against: "pro", customerId: "ann" })).toEqual(["ann 2"]);
    expect(await periods({ against: "other" })).toEqual([]);
  });

  test("counts periods of another currency, and does not compare them", async () => {
    const { clients } = await billed(["ann"]);
    const euros = planOf([perCall("1")], { currency: "EUR" });
    const { customers, currency } = await clients.invoice.simulatePlan({ plan: defined(euros) });
    expect(currency).toBe("EUR");
    expect(customers).toMatchObject([
      { customerId: "ann", periods: 0, oldMinor: 0n, newMinor: 0n, differencePercent: "", periodsNotComparable: 1 },
    ]);
  });

  test("answers customers page by page", async () => {
    const { clients } = await billed(["ann", "bob", "cyd"]);
    const request = { plan: published("pro"), pageSize: 2 };
    const first = await clients.invoice.simulatePlan(request);
    const second = await clients.invoice.simulatePlan({ ...request, pageToken: first.nextPageToken });
    expect([first, second].map(({ customers }) => customers.map((one) => one.customerId))).toEqual([
      ["ann", "bob"],
      ["cyd"],
    ]);
    expect(second.nextPageToken).toBe("");
  });

  test.each<[string, Plan, string]>([
    ["a metric that does not exist", planOf([{ ...perCall("1"), metric: "GPU" }]), "definition.prices[0].metric"],
    ["no metric", planOf([{ ...perCall("1"), metric: "" }]), "definition.prices[0].metric"],
    ["a currency that does not exist", planOf([perCall("1")], { currency: "ABC" }), "definition.currency"],
    [
      "a last tier with a bound",
      planOf([{ key: "calls", metric: "API_CALL", volume: { tiers: [{ upTo: "1" }] } }]),
      "definition.prices[0].volume.tiers[0].up_to",
    ],
  ])("refuses a plan with %s", async (_, plan, field) => {
    const { clients } = await priced();
    expect(await refused(clients.invoice.simulatePlan({ plan: defined(plan) }))).toEqual({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_CATALOG,
      field,
    });
  });
});
