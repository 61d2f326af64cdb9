import { expect, test } from "vitest";
import { retryAfterMs } from "../../server/webhook/retry-after.ts";

const NOW = new Date("1994-11-06T08:49:37Z");
const HOUR = 3_600_000;

test.each([
  ["120", 120_000],
  [" 0 ", 0],
  ["7200", HOUR],
  ["9999999999", HOUR],
  ["Sun, 06 Nov 1994 08:50:07 GMT", 30_000],
  ["Sun, 06 Nov 1994 08:49:07 GMT", 0],
  ["Mon, 06 Nov 2094 08:49:07 GMT", HOUR],
  [undefined, undefined],
  ["", undefined],
  ["-1", undefined],
  ["1.5", undefined],
  ["1e3", undefined],
  ["0x10", undefined],
  ["soon", undefined],
  ["1994-11-06T08:50:07Z", undefined],
  ["Sun, 99 Nov 1994 08:50:07 GMT", undefined],
])("Retry-After: %s", (header, wait) => {
  expect(retryAfterMs(header, NOW, HOUR)).toBe(wait);
});
