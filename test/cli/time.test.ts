import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { span } from "../../cli/output/text.ts";
import { parseSpan, parseTime } from "../../cli/time.ts";
import { parseTimeZone } from "../../cli/time-zone.ts";

describe("a span", () => {
  test.each([
    ["10d", 864_000n],
    ["1h30m", 5_400n],
    ["90s", 90n],
    ["0s", 0n],
    ["1d1h1m1s", 90_061n],
  ])("%s is %s seconds", (text, seconds) => {
    expect(parseSpan(text)).toBe(seconds);
  });

  test.each(["", "10", "d", "1h 30m", "30m1h", "-1d", "1.5h", "1w", "1D"])("is not %j", (text) => {
    expect(() => parseSpan(text)).toThrow("is no span of time: write it like 10d, 1h30m or 90s");
  });

  test("that is written is read as the same", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 9n }), (seconds) => {
        expect(parseSpan(span({ $typeName: "google.protobuf.Duration", seconds, nanos: 0 }))).toBe(seconds);
      }),
    );
  });
});

describe("a time zone", () => {
  test.each(["UTC", "Europe/Berlin", "Asia/Kolkata"])("%s is one", (name) => {
    expect(parseTimeZone(name)).toBe(name);
  });

  test.each(["", "Nowhere", "PST", "2015"])("%j is none", (name) => {
    expect(() => parseTimeZone(name)).toThrow("is no time zone: write it like Europe/Berlin");
  });
});

describe("a time", () => {
  test.each([
    ["2015-06-02T00:00:00Z", 1_433_203_200n],
    ["2015-06-02T02:00:00+02:00", 1_433_203_200n],
    ["2015-06-02", 1_433_203_200n],
    ["2015-06-02t00:00:00z", 1_433_203_200n],
  ])("%s is %s", (text, seconds) => {
    expect(parseTime(text).seconds).toBe(seconds);
  });

  test.each(["", "tomorrow", "1433203200", "2015-06-02T00:00:00", "2015-13-02"])("is not %j", (text) => {
    expect(() => parseTime(text)).toThrow("is no time: write it like 2015-06-02T00:00:00Z");
  });
});
