import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PriceSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, plain, zero } from "../../server/money.ts";
import { rateFlat } from "../../server/pricing/flat-fee.ts";
import { stepSum } from "../support/prices.ts";

const DAY_MS = 86_400_000;
const june = { start: new Date("2015-06-01T00:00:00Z"), end: new Date("2015-07-01T00:00:00Z") };
const at = (day: number) => new Date(june.start.getTime() + day * DAY_MS);

/** What a price comes to with so many seats from one day to another. */
function fee(amount: string, perSeat: boolean, ...spans: [quantity: number, from: number, to: number][]) {
  const price = create(PriceSchema, { model: { case: "flat", value: { amount, perSeat } } });
  const seats = spans.map(([quantity, from, to]) => ({ quantity, start: at(from), end: at(to) }));
  return rateFlat(price, "USD", { of: june, seats });
}

describe("rateFlat", () => {
  test("of a full period is exact, and rounded once", () => {
    expect(fee("9.999", true, [3, 0, 30])).toMatchObject({ amountMinor: 3000n, seats: "3" });
    expect(plain(fee("9.999", true, [3, 0, 30]).exact)).toBe("29.997");
    expect(fee("9.999", false, [3, 0, 30])).toMatchObject({ amountMinor: 1000n, seats: "1" });
  });

  test("without seats is nothing", () => {
    for (const perSeat of [true, false]) {
      expect(fee("10", perSeat)).toMatchObject({ amountMinor: 0n, steps: [], seats: "0" });
    }
  });

  test("that is not by seats does not see them change", () => {
    expect(fee("10", false, [1, 0, 10], [5, 10, 30])).toEqual(fee("10", false, [1, 0, 30]));
  });

  test("by seats says what each time owes, to the cent", () => {
    // 10.00 by 10 June is 3.33; 30.00 from there to the end is 30.00 - 10.00.
    const rating = fee("10", true, [1, 0, 10], [3, 10, 30]);
    expect(rating.amountMinor).toBe(2333n);
    expect(rating.steps.map(({ amount, description }) => `${description}: ${amount}`)).toEqual([
      "1 seat at 10 for 10 of 30 days: 3.33",
      "3 seats at 10 for 20 of 30 days: 20",
    ]);
  });

  test("is clamped as every line is, so that an invoice's total fits", () => {
    expect(fee("999999999999.99", true, [1_000_000, 0, 15]).amountMinor).toBe(5n * 10n ** 15n);
  });

  test("has steps that add up to it, and parts that add up to the whole, whatever the seats", () => {
    const quantities = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 });
    const cents = fc.integer({ min: 0, max: 100_000 }).map((n) => `${Math.floor(n / 100)}.${n % 100}`);
    fc.assert(
      fc.property(cents, quantities, (amount, seats) => {
        const length = 30 / seats.length;
        const spans = seats.map((n, i) => [n, i * length, (i + 1) * length] as [number, number, number]);
        const rating = fee(amount, true, ...spans);
        expect(stepSum(rating)).toBe(plain(rating.exact));
        const parts = spans.map((span) => fee(amount, true, span).exact);
        expect(plain(parts.reduce((sum, part) => sum.plus(part), zero))).toBe(plain(rating.exact));
        // Each part is within a cent of its exact share; times their number, so that nothing is divided.
        const count = decimal(String(seats.length));
        const all = decimal(amount).times(decimal(String(seats.reduce((sum, n) => sum + n, 0))));
        const off = rating.exact.times(count).minus(all).abs();
        expect(off.lte(count.times(count).times(decimal("0.01")))).toBe(true);
      }),
    );
  });
});
