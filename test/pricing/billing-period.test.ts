import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Period } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Cadence, earliestAnchor, isClosed, periodAt } from "../../server/pricing/billing-period.ts";

const HOUR_MS = 3_600_000;

const span = { min: new Date("1970-01-01T00:00:00Z"), max: new Date("2199-12-31T23:59:59Z"), noInvalidDate: true };
const instants = fc.date(span);
const periods = fc.constantFrom(Period.WEEKLY, Period.MONTHLY, Period.QUARTERLY, Period.YEARLY);
/** All that Intl knows, and among them more often those whose clocks do something rare. */
const zones = fc.oneof(
  fc.constantFrom(...Intl.supportedValuesOf("timeZone")),
  fc.constantFrom(
    "UTC",
    "America/St_Johns", // clocks went back a minute after midnight, so that the first of November came twice
    "Pacific/Apia", // has no 30 December 2011
    "Australia/Lord_Howe", // changes by half an hour
    "America/Sao_Paulo", // clocks went ahead at midnight, so that days began at one
    "Africa/Casablanca",
    "Asia/Kathmandu",
  ),
);
/** Whole seconds, and more often the last days of months at times that clocks may leave out or repeat. */
const anchors = fc.oneof(
  instants.map((instant) => new Date(Math.floor(instant.getTime() / 1_000) * 1_000)),
  fc
    .tuple(fc.integer({ min: 1970, max: 2199 }), fc.integer({ min: 0, max: 11 }), fc.integer({ min: 27, max: 31 }))
    .chain(([year, month, day]) =>
      fc.integer({ min: 0, max: 47 }).map((half) => new Date(Date.UTC(year, month, day, 0, 30 * half))),
    ),
);
const cadences: fc.Arbitrary<Cadence> = fc.record({
  period: periods,
  timeZone: zones,
  anchor: fc.option(anchors, { nil: null }),
});

function text({ start, end }: { start: Date; end: Date }): string {
  return `${start.toISOString()} ${end.toISOString()}`;
}

/** Instants with their periods, in short form: dates stand for UTC midnight. */
function brief({ start, end }: { start: Date; end: Date }): string {
  return [start, end].map((time) => time.toISOString().replace(/(T00:00)?:00\.000Z$/, "")).join(" ");
}

describe("periodAt", () => {
  const { WEEKLY, MONTHLY, QUARTERLY, YEARLY } = Period;
  test.each([
    [MONTHLY, "UTC", "2015-05-21T00:00:00Z", "2015-05-01 2015-06-01"],
    [MONTHLY, "UTC", "2015-06-01T00:00:00Z", "2015-06-01 2015-07-01"],
    [MONTHLY, "UTC", "2015-05-31T23:59:59.999Z", "2015-05-01 2015-06-01"],
    [MONTHLY, "UTC", "2016-02-29T12:00:00Z", "2016-02-01 2016-03-01"],
    [MONTHLY, "UTC", "1969-12-31T23:59:59Z", "1969-12-01 1970-01-01"],
    [WEEKLY, "UTC", "2015-12-31T12:00:00Z", "2015-12-28 2016-01-04"],
    [WEEKLY, "UTC", "2016-01-04T00:00:00Z", "2016-01-04 2016-01-11"],
    [QUARTERLY, "UTC", "2015-05-21T00:00:00Z", "2015-04-01 2015-07-01"],
    [YEARLY, "UTC", "2016-12-31T23:59:59Z", "2016-01-01 2017-01-01"],
    [MONTHLY, "Europe/Berlin", "2015-03-31T21:59:59Z", "2015-02-28T23:00 2015-03-31T22:00"],
    [MONTHLY, "Europe/Berlin", "2015-03-31T22:00:00Z", "2015-03-31T22:00 2015-04-30T22:00"],
    [WEEKLY, "America/New_York", "2015-11-01T12:00:00Z", "2015-10-26T04:00 2015-11-02T05:00"],
    [MONTHLY, "Asia/Kolkata", "2015-05-21T00:00:00Z", "2015-04-30T18:30 2015-05-31T18:30"],
    [WEEKLY, "America/Sao_Paulo", "2017-10-15T12:00:00Z", "2017-10-09T03:00 2017-10-16T02:00"],
    // The first of November 2009 began twice there: at 02:30, then again an hour after.
    [MONTHLY, "America/St_Johns", "2009-11-01T03:00:00Z", "2009-11-01T02:30 2009-12-01T03:30"],
  ])("on the calendar: %s of %s at %s is %s", (period, timeZone, instant, expected) => {
    expect(brief(periodAt({ period, timeZone, anchor: null }, new Date(instant)))).toBe(expected);
  });

  test.each([
    [MONTHLY, "UTC", "2015-01-31T00:00:00Z", ["2015-01-31", "2015-02-28", "2015-03-31", "2015-04-30", "2015-05-31"]],
    [MONTHLY, "UTC", "2016-01-30T00:00:00Z", ["2016-01-30", "2016-02-29", "2016-03-30"]],
    [YEARLY, "UTC", "2016-02-29T00:00:00Z", ["2016-02-29", "2017-02-28", "2018-02-28", "2019-02-28", "2020-02-29"]],
    [QUARTERLY, "UTC", "2015-11-30T06:00:00Z", ["2015-11-30T06:00", "2016-02-29T06:00", "2016-05-30T06:00"]],
    [WEEKLY, "UTC", "2015-12-31T06:00:00Z", ["2015-12-31T06:00", "2016-01-07T06:00"]],
    // The same time of day: the second boundary is in summer.
    [MONTHLY, "Europe/Berlin", "2015-03-10T09:00:00Z", ["2015-03-10T09:00", "2015-04-10T08:00"]],
    // 02:30 is left out on 29 March and comes twice on 25 October: an hour later then, and the first of the two.
    [WEEKLY, "Europe/Berlin", "2015-03-22T01:30:00Z", ["2015-03-22T01:30", "2015-03-29T01:30", "2015-04-05T00:30"]],
    [WEEKLY, "Europe/Berlin", "2015-10-18T00:30:00Z", ["2015-10-18T00:30", "2015-10-25T00:30", "2015-11-01T01:30"]],
    // 30 December is left out there.
    [MONTHLY, "Pacific/Apia", "2011-11-30T12:00:00Z", ["2011-11-30T12:00", "2011-12-30T12:00", "2012-01-29T12:00"]],
  ])("from an anchor: %s of %s from %s has the boundaries %s", (period, timeZone, start, boundaries) => {
    const cadence = { period, timeZone, anchor: new Date(start) };
    const found: string[] = [];
    for (let at = cadence.anchor; found.length < boundaries.length; ) {
      const its = periodAt(cadence, at);
      found.push(brief(its).split(" ")[0] as string);
      at = its.end;
    }
    expect(found).toEqual(boundaries);
  });

  test("contains its instant, its start and its last millisecond, and not its end", () => {
    fc.assert(
      fc.property(cadences, instants, (cadence, instant) => {
        const period = periodAt(cadence, instant);
        expect(period.start <= instant && instant < period.end).toBe(true);
        expect(text(periodAt(cadence, period.start))).toBe(text(period));
        expect(text(periodAt(cadence, new Date(period.end.getTime() - 1)))).toBe(text(period));
      }),
      { numRuns: 500 },
    );
  });

  test("tiles time: the next period begins where one ends, and the one before ends where it begins", () => {
    fc.assert(
      fc.property(cadences, instants, (cadence, instant) => {
        const { start, end } = periodAt(cadence, instant);
        const next = periodAt(cadence, end);
        const before = periodAt(cadence, new Date(start.getTime() - 1));
        expect([before.end, next.start]).toEqual([start, end]);
        expect(before.start < start && start < end && end < next.end).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("begins a period at its anchor", () => {
    fc.assert(
      fc.property(periods, zones, anchors, (period, timeZone, anchor) => {
        expect(periodAt({ period, timeZone, anchor }, anchor).start).toEqual(anchor);
      }),
      { numRuns: 300 },
    );
  });
});

describe("earliestAnchor", () => {
  test("is the first hour from which a period ends after an instant", () => {
    fc.assert(
      fc.property(periods, zones, anchors, (period, timeZone, instant) => {
        const endFrom = (anchor: Date) => periodAt({ period, timeZone, anchor }, anchor).end;
        const anchor = earliestAnchor({ period, timeZone }, instant);
        expect(anchor.getTime() % HOUR_MS === 0).toBe(true);
        expect(endFrom(anchor) > instant && endFrom(new Date(anchor.getTime() - HOUR_MS)) <= instant).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("isClosed", () => {
  const may = { start: new Date("2015-05-01T00:00:00Z"), end: new Date("2015-06-01T00:00:00Z") };
  test.each([
    ["2015-06-01T00:00:00Z", HOUR_MS, false],
    ["2015-06-01T00:59:59.999Z", HOUR_MS, false],
    ["2015-06-01T01:00:00Z", HOUR_MS, true],
    ["2015-06-01T00:00:00Z", 0, true],
    ["2015-06-20T00:00:00Z", 60 * 24 * HOUR_MS, false],
  ])("at %s with %d ms of grace: %s", (now, graceMs, closed) => {
    expect(isClosed(may, new Date(now), graceMs)).toBe(closed);
  });
});
