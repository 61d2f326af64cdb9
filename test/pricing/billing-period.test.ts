import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { earliestOpenPeriod, periodAt } from "../../server/pricing/billing-period.ts";

const HOUR_MS = 3_600_000;
const instants = fc.date({
  min: new Date("0001-01-01T00:00:00Z"),
  max: new Date("9999-11-30T00:00:00Z"),
  noInvalidDate: true,
});

function text({ start, end }: { start: Date; end: Date }): string {
  return `${start.toISOString()} ${end.toISOString()}`;
}

describe("periodAt", () => {
  test.each([
    ["2015-05-21T00:00:00Z", "2015-05-01T00:00:00.000Z 2015-06-01T00:00:00.000Z"],
    ["2015-06-01T00:00:00Z", "2015-06-01T00:00:00.000Z 2015-07-01T00:00:00.000Z"],
    ["2015-05-31T23:59:59.999Z", "2015-05-01T00:00:00.000Z 2015-06-01T00:00:00.000Z"],
    ["2016-02-29T12:00:00Z", "2016-02-01T00:00:00.000Z 2016-03-01T00:00:00.000Z"],
    ["2015-12-31T23:00:00Z", "2015-12-01T00:00:00.000Z 2016-01-01T00:00:00.000Z"],
    ["1969-12-31T23:59:59Z", "1969-12-01T00:00:00.000Z 1970-01-01T00:00:00.000Z"],
  ])("%s lies in %s", (instant, period) => {
    expect(text(periodAt(new Date(instant)))).toBe(period);
  });

  test("contains its instant, its start and its last millisecond, and not its end", () => {
    fc.assert(
      fc.property(instants, (instant) => {
        const period = periodAt(instant);
        expect(period.start <= instant && instant < period.end).toBe(true);
        expect(text(periodAt(period.start))).toBe(text(period));
        expect(text(periodAt(new Date(period.end.getTime() - 1)))).toBe(text(period));
      }),
    );
  });

  test("tiles time: the next period begins where one ends, and the one before ends where it begins", () => {
    fc.assert(
      fc.property(instants, (instant) => {
        const period = periodAt(instant);
        expect(periodAt(period.end).start).toEqual(period.end);
        expect(periodAt(new Date(period.start.getTime() - 1)).end).toEqual(period.start);
      }),
    );
  });
});

describe("earliestOpenPeriod", () => {
  test.each([
    ["2015-06-01T00:00:00Z", HOUR_MS, "2015-05-01T00:00:00.000Z"],
    ["2015-06-01T00:59:59.999Z", HOUR_MS, "2015-05-01T00:00:00.000Z"],
    ["2015-06-01T01:00:00Z", HOUR_MS, "2015-06-01T00:00:00.000Z"],
    ["2015-06-01T00:00:00Z", 0, "2015-06-01T00:00:00.000Z"],
    ["2015-06-20T00:00:00Z", 60 * 24 * HOUR_MS, "2015-04-01T00:00:00.000Z"],
  ])("at %s with %d ms of grace it begins at %s", (now, graceMs, start) => {
    expect(earliestOpenPeriod(new Date(now), graceMs).start.toISOString()).toBe(start);
  });
});
