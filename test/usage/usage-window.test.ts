import fc from "fast-check";
import { expect, test } from "vitest";
import { UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";
import { cutSpan } from "../../server/usage/usage-window.ts";

const { HOUR, DAY, MONTH, PERIOD } = UsageInterval;
const hourAt = (hour: number) => new Date(hour * 3_600_000);
const at = (text: string) => new Date(`${text}:00:00Z`);

test.each([
  ["2015-05-01T22", "2015-05-02T01", HOUR, ["2015-05-01T22", "2015-05-01T23", "2015-05-02T00"]],
  ["2015-05-01T22", "2015-05-03T05", DAY, ["2015-05-01T22", "2015-05-02T00", "2015-05-03T00"]],
  ["2016-01-31T05", "2016-03-01T00", MONTH, ["2016-01-31T05", "2016-02-01T00"]],
  ["2015-12-31T00", "2016-01-01T01", PERIOD, ["2015-12-31T00", "2016-01-01T00"]],
])("%s to %s is cut at the edges of interval %i", (start, end, interval, starts) => {
  const windows = cutSpan({ start: at(start), end: at(end) }, interval, 1_000);
  expect(windows.map((window) => window.start)).toEqual(starts.map(at));
});

test("windows tile their span, and no edge lies within one", () => {
  const edge: Record<number, (time: Date) => boolean> = {
    [HOUR]: () => true,
    [DAY]: (time) => time.getUTCHours() === 0,
    [MONTH]: (time) => time.getUTCHours() === 0 && time.getUTCDate() === 1,
    [PERIOD]: (time) => time.getUTCHours() === 0 && time.getUTCDate() === 1,
  };
  const hours = fc.integer({ min: 0, max: 24 * 365 * 60 });
  const span = fc.tuple(hours, fc.integer({ min: 1, max: 24 * 100 }));
  fc.assert(
    fc.property(span, fc.constantFrom(HOUR, DAY, MONTH, PERIOD), ([start, length], interval) => {
      const windows = cutSpan({ start: hourAt(start), end: hourAt(start + length) }, interval, Infinity);
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

test("no more windows are made than are asked for", () => {
  expect(cutSpan({ start: hourAt(0), end: hourAt(1e6) }, HOUR, 3)).toHaveLength(3);
});
