import { fromJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema, ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { fromMinor } from "../../server/money.ts";
import { use } from "../support/billing.ts";
import { listAllInvoices, setup } from "../support/harness.ts";
import { mismatches, told } from "../support/subscriptions.ts";

// A quarter of a customer that grows: it begins within a month, adds seats, is upgraded in the middle of a day, takes seats
// away, and leaves. Every amount below is worked out by hand.

const tiers = { tiers: [{ upTo: "100", unitAmount: "0" }, { unitAmount: "0.10" }] };
const catalog = fromJson(CatalogSchema, {
  metrics: [{ key: "API_CALL", aggregation: "AGGREGATION_SUM" }],
  plans: [
    {
      key: "basic",
      name: "Basic",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      minimumAmount: "15.50",
      prices: [
        { key: "base", name: "Base", flat: { amount: "19.99", timing: "FLAT_TIMING_IN_ADVANCE" } },
        { key: "seats", name: "Seats", flat: { amount: "7.00", timing: "FLAT_TIMING_IN_ADVANCE", perSeat: true } },
        { key: "calls", name: "Calls", metric: "API_CALL", graduated: tiers },
      ],
    },
    {
      key: "plus",
      name: "Plus",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: [
        { key: "base", name: "Base", flat: { amount: "49.00", timing: "FLAT_TIMING_IN_ADVANCE" } },
        { key: "seats", name: "Seats", flat: { amount: "5.00", perSeat: true } },
        { key: "calls", name: "Calls", metric: "API_CALL", perUnit: { unitAmount: "0.05" } },
      ],
    },
  ],
});

function day(at: Timestamp | undefined): string {
  return at ? timestampDate(at).toISOString().slice(5, 13) : "";
}

/** An invoice in lines of text: what it bills, and each line. */
function text({ plan, periodStart, periodEnd, lines, totalMinor }: Invoice): string[] {
  const head = `${plan} ${day(periodStart)} to ${day(periodEnd)}: ${fromMinor(totalMinor, "USD")}`;
  return [head, ...lines.map((line) => `  ${line.description}: ${fromMinor(line.amountMinor, "USD")}`)];
}

test("a customer grows, is upgraded in the middle of a day, and leaves: each second is billed once, on its plan", async () => {
  const harness = await setup();
  const { clients, advanceTo } = harness;
  const { pricing } = clients;
  await pricing.pushCatalog({ catalog });
  const startAt = { seconds: BigInt(Date.parse("2015-05-22T00:00:00Z") / 1_000) };
  const { subscription } = await pricing.startSubscription({ customerId: "ann", plan: "basic", quantity: 3, startAt });
  const id = subscription?.id ?? "";
  const numbered = async (from: number, to: number) => {
    const invoices = (await listAllInvoices(clients)).filter((invoice) => invoice.number !== "");
    const places = new Map(invoices.map((invoice) => [Number(invoice.number.slice(4)), invoice]));
    return Array.from({ length: to - from + 1 }, (_, i) => text(places.get(from + i) as Invoice)).flat();
  };

  await advanceTo("2015-05-22T00:00:00Z");
  // By 22 May a month of 19.99 has come to 19.99 x 21/31 = 13.541..., and 21.00 to 14.225...: what is left is owed.
  expect(await numbered(1, 1)).toEqual([
    "basic 05-22T00 to 06-01T00: 13.22",
    "  Base, 10 of 31 days: 6.45",
    "  Seats, 10 of 31 days: 6.77",
  ]);

  await use(harness, "ann", "120", "2015-05-22T00:00:00Z");
  await advanceTo("2015-05-27T00:00:00Z");
  await pricing.changeSubscription({ id, quantity: 5 });
  await advanceTo("2015-06-01T01:00:00Z");
  expect(await numbered(2, 3)).toEqual([
    "basic 06-01T00 to 07-01T00: 57.25",
    "  Base: 19.99",
    "  Seats: 35.00",
    // 3 seats from 22 to 27 May: 21.00 x 26/31 = 17.61 less 14.23. Then 5: 35.00 less 35.00 x 26/31 = 29.35. With the base of
    // 6.45 it is 6.45 + 3.38 + 5.65.
    "  Changes in 2015-05-22 to 2015-06-01: 15.48 instead of 13.22: 2.26",
    // 20 calls beyond the tier; of the minimum 15.50 less 15.50 x 21/31 = 10.50.
    "basic 05-22T00 to 06-01T00: 5.00",
    "  Calls: 120 units: 2.00",
    "  Basic: up to the minimum of 5, 10 of 31 days: 3.00",
  ]);

  await advanceTo("2015-06-16T12:00:00Z");
  await use(harness, "ann", "400", "2015-06-16T11:59:59.999Z");
  await pricing.changeSubscription({ id, plan: "plus" });
  await use(harness, "ann", "40", "2015-06-16T12:00:00Z");
  await advanceTo("2015-06-16T13:00:00Z");
  // 15.5 of June's 30 days are 372 of 720 hours.
  expect(await numbered(4, 5)).toEqual([
    "plus 06-16T12 to 07-01T00: 0.00",
    // 49.00 less 49.00 x 372/720 = 25.32.
    "  Base, 348 of 720 hours: 23.68",
    // 19.99 x 372/720 = 10.328..., 35.00 x 372/720 = 18.083...: 10.33 + 18.08 of the 54.99 that were billed.
    "  Changes in 2015-06-01 to 2015-07-01: 28.41 instead of 54.99: -26.58",
    "  Granted as credit: 2.90",
    "basic 06-01T00 to 06-16T12: 27.10",
    "  Calls: 400 units: 30.00", // more than 8.01, the minimum's share
    "  Paid with credit: -2.90",
  ]);

  await pricing.changeSubscription({ id, quantity: 2, timing: ChangeTiming.PERIOD_END });
  await advanceTo("2015-07-11T00:00:00Z");
  expect(await numbered(6, 7)).toEqual([
    "plus 07-01T00 to 08-01T00: 49.00",
    "  Base: 49.00",
    "plus 06-16T12 to 07-01T00: 14.08",
    "  Seats, 348 of 720 hours: 12.08", // 25.00 less 25.00 x 372/720 = 12.92
    "  Calls: 40 units: 2.00",
  ]);

  await pricing.endSubscription({ id, timing: ChangeTiming.NOW });
  await advanceTo("2015-09-01T00:00:00Z");
  expect(await numbered(8, 8)).toEqual([
    "plus 07-01T00 to 07-11T00: 0.00",
    "  Seats, 10 of 31 days: 3.23", // 2 x 5.00 x 10/31
    "  Calls: 0 units: 0.00",
    "  Changes in 2015-07-01 to 2015-08-01: 15.81 instead of 49.00: -33.19", // 49.00 x 10/31 = 15.806...
    "  Granted as credit: 29.96",
  ]);
  expect(await listAllInvoices(clients)).toHaveLength(8);
  expect(await mismatches(harness)).toEqual([]);
  expect((await told(harness)).map((event) => event.split(",")[0])).toEqual([
    "subscription.started basic 1 x3",
    "subscription.changed basic 1 x5",
    "subscription.changed plus 1 x5",
    "subscription.changed plus 1 x2",
    "subscription.ended plus 1 x2",
  ]);
});
