import fc from "fast-check";
import { expect, test } from "vitest";
import { UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";
import { cutSpan, edgesOf } from "../../server/usage/usage-window.ts";

const { HOUR, DAY, MONTH } = UsageInterval;
const hourAt = (hour: number) => new Date(hour * 3_600_000);
const at = (text: string) => new Date(`${text}:00:00Z`);

test.each([
  ["2015-05-01T22", "2015-05-02T01", HOUR, "UTC", ["2015-05-01T22", "2015-05-01T23", "2015-05-02T00"]],
  ["2015-05-01T22", "2015-05-03T05", DAY, "UTC", ["2015-05-01T22", "2015-05-02T00", "2015-05-03T00"]],
  ["2016-01-31T05", "2016-03-01T00", MONTH, "UTC", ["2016-01-31T05", "2016-02-01T00"]],
  ["2015-10-24T22", "2015-10-26T22", DAY, "Europe/Berlin", ["2015-10-24T22", "2015-10-25T23"]],
  ["2015-10-01T00", "2015-11-01T00", MONTH, "Europe/Berlin", ["2015-10-01T00", "2015-10-31T23"]],
  ["2015-05-01T00", "2015-05-01T02", HOUR, "Asia/Kolkata", ["2015-05-01T00", "2015-05-01T01"]],
])("%s to %s is cut at the edges of interval %i in %s", (start, end, interval, timeZone, starts) => {
  const windows = cutSpan({ start: at(start), end: at(end) }, edgesOf(interval, timeZone), 1_000);
  expect(windows.map((window) => window.start)).toEqual(starts.map(at));
});

test("windows tile their span, and no edge lies within one", () => {
  const edge: Record<number, (time: Date) => boolean> = {
    [HOUR]: () => true,
    [DAY]: (time) => time.getUTCHours() === 0,
    [MONTH]: (time) => time.getUTCHours() === 0 && time.getUTCDate() === 1,
  };
  const hours = fc.integer({ min: 0, max: 24 * 365 * 60 });
  const span = fc.tuple(hours, fc.integer({ min: 1, max: 24 * 100 }));
  fc.assert(
    fc.property(span, fc.constantFrom(HOUR, DAY, MONTH), ([start, length], interval) => {
      const windows = cutSpan(
        { start: hourAt(start), end: hourAt(start + length) },
        edgesOf(interval, "UTC"),
        Infinity,
      );
      const edges = [hourAt(start), ...windows.map((window) => window.end)];
      expect(windows.map((window) => window.start)).toEqual(edges.slice(0, -1));
      expect(edges.at(-1)).toEqual(hourAt(start + length));
      const cuts = new Set(edges.slice(1, -1).map(Number));
      for (let hour = start + 1; hour < start + length; hour++) {
        expect(cuts.has(Number(hourAt(hour)))).toBe(edge[interval]?.(hourAt(hour)));
      }
    }),
    { numRuns: 50 },
  );
});

test("days go on where a day comes twice: clocks went back a minute after midnight", () => {
  const span = { start: at("2009-10-31T02"), end: at("2009-11-03T04") };
  const windows = cutSpan(span, edgesOf(DAY, "America/St_Johns"), 10);
  expect(windows.map((window) => window.start.toISOString().slice(8, 16))).toEqual([
    "31T02:00",
    "31T02:30",
    "01T02:30",
    "02T03:30",
    "03T03:30",
  ]);
});

test("no more windows are made than are asked for", () => {
  expect(cutSpan({ start: hourAt(0), end: hourAt(1e6) }, edgesOf(HOUR, "UTC"), 3)).toHaveLength(3);
});
