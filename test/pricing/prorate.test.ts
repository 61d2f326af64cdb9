import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decimal, fromMinor, plain, toMinor, zero } from "../../server/money.ts";
import { isWhole, type PeriodPart, shareOf, shareWords } from "../../server/pricing/prorate.ts";

const may = { start: new Date("2015-05-01T00:00:00Z"), end: new Date("2015-06-01T00:00:00Z") };
const LENGTH_S = 31 * 86_400;
const at = (second: number) => new Date(may.start.getTime() + second * 1_000);
const part = (start: number, end: number): PeriodPart => ({ start: at(start), end: at(end), of: may });
const until = (start: string, end: string) =>
  plain(shareOf(decimal("100"), { start: new Date(start), end: new Date(end), of: may }, "USD"));

const seconds = fc.integer({ min: 0, max: LENGTH_S });
// Up to 18 digits after the point, as prices have.
const amounts = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.stringMatching(/^[0-9]{1,18}$/))
  .map(([whole, fraction]) => decimal(`${whole}.${fraction}`));
const currencies = fc.constantFrom("JPY", "USD", "KWD");

describe("shareOf", () => {
  test.each([
    // 100 / 31 = 3.2258...: the first day has come to 3.23, ten days to 32.26, eleven to 35.48.
    ["2015-05-01T00:00:00Z", "2015-05-02T00:00:00Z", "3.23"],
    ["2015-05-11T00:00:00Z", "2015-05-12T00:00:00Z", "3.22"],
    ["2015-05-11T00:00:00Z", "2015-06-01T00:00:00Z", "67.74"],
    ["2015-05-01T00:00:00Z", "2015-06-01T00:00:00Z", "100"],
    ["2015-05-05T00:00:00Z", "2015-05-05T00:00:00Z", "0"],
  ])("of 100.00 for May, from %s to %s, is %s", (start, end, share) => {
    expect(until(start, end)).toBe(share);
  });

  test("adds up to the amount, wherever the cuts are", () => {
    fc.assert(
      fc.property(amounts, currencies, fc.array(seconds, { maxLength: 20 }), (amount, currency, cuts) => {
        const bounds = [0, ...cuts.sort((a, b) => a - b), LENGTH_S];
        const parts = bounds.slice(1).map((end, i) => shareOf(amount, part(bounds[i] as number, end), currency));
        const sum = parts.reduce((total, share) => total.plus(share), zero);
        expect(plain(sum)).toBe(plain(decimal(fromMinor(toMinor(amount, currency), currency))));
      }),
    );
  });

  test("is never negative, in whole minor units, and within one of the exact share", () => {
    fc.assert(
      fc.property(amounts, currencies, seconds, seconds, (amount, currency, a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const share = shareOf(amount, part(start, end), currency);
        const minor = toMinor(share, currency);
        expect(share.gte(zero)).toBe(true);
        expect(plain(share)).toBe(plain(decimal(fromMinor(minor, currency))));
        // The same, times the length, so that nothing is divided: |share - amount * (end - start) / length| <= 1 unit.
        const length = decimal(String(LENGTH_S));
        const off = share.times(length).minus(amount.times(decimal(String(end - start))));
        expect(off.abs().lte(length.times(decimal(fromMinor(1n, currency))))).toBe(true);
      }),
    );
  });

  test("grows with the part, and with the amount of a part that begins with the period", () => {
    fc.assert(
      fc.property(amounts, amounts, seconds, seconds, seconds, (amount, more, ...cuts) => {
        const [start, end, later] = cuts.sort((a, b) => a - b) as [number, number, number];
        const share = shareOf(amount, part(start, end), "USD");
        expect(share.lte(shareOf(amount, part(start, later), "USD"))).toBe(true);
        const first = shareOf(amount, part(0, end), "USD");
        expect(first.lte(shareOf(amount.plus(more), part(0, end), "USD"))).toBe(true);
      }),
    );
  });
});

test("a part is whole when nothing of the period is missing", () => {
  expect([part(0, LENGTH_S), part(1, LENGTH_S), part(0, LENGTH_S - 1)].map(isWhole)).toEqual([true, false, false]);
});

test("a part is told in the largest unit in which it and the whole are whole", () => {
  const words = [part(0, 5 * 86_400), part(3_600, 86_400), part(0, 61)].map(shareWords);
  expect(words).toEqual(["5 of 31 days", "23 of 744 hours", "61 of 2678400 seconds"]);
});
