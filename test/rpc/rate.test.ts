import fc from "fast-check";
import { expect, test } from "vitest";
import { Rate } from "../../server/rpc/rate.ts";

test("in any span nobody gets more than the burst and what the rate adds in it, but for one batch", () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 3_000 }), count: fc.integer({ min: 1, max: 50 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 20 }), (steps, perSecond) => {
      const rate = new Rate(perSecond, 2);
      const taken: { atMs: number; count: number }[] = [];
      let nowMs = 0;
      for (const { afterMs, count } of steps) {
        nowMs += afterMs;
        if (rate.waitMs("a", nowMs) > 0) continue;
        rate.take("a", count, nowMs);
        taken.push({ atMs: nowMs, count });
      }
      for (const [first, from] of taken.entries()) {
        // The batch that was let in with less left than it has is paid for by those after it.
        const span = taken.slice(first, -1);
        const last = span.at(-1);
        if (!last) continue;
        const allowed = perSecond * 2 + (perSecond * (last.atMs - from.atMs)) / 1_000 + 50;
        expect(span.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(allowed);
      }
    }),
  );
});

test("whoever waits as long as they were told gets in", () => {
  const wait = fc.integer({ min: 1, max: 5_000 });
  fc.assert(
    fc.property(fc.array(wait, { maxLength: 50 }), fc.integer({ min: 1, max: 1_000 }), (counts, perSecond) => {
      const rate = new Rate(perSecond, 1);
      let nowMs = 0;
      for (const count of counts) {
        nowMs += rate.waitMs("a", nowMs);
        expect(rate.waitMs("a", nowMs)).toBe(0);
        rate.take("a", count, nowMs);
      }
    }),
  );
});

test("one is not counted for the other, and a rate of 0 refuses nobody", () => {
  const rate = new Rate(1, 1);
  rate.take("a", 5, 0);
  expect([rate.waitMs("a", 0), rate.waitMs("b", 0)]).toEqual([5_000, 0]);
  const none = new Rate(0, 10);
  none.take("a", 1_000_000, 0);
  expect(none.waitMs("a", 0)).toBe(0);
});

test("who has all of it left is forgotten, and who has not is not", () => {
  const rate = new Rate(1, 1);
  rate.take("busy", 100, 0);
  for (let number = 0; number < 25_000; number++) rate.take(`k${number}`, 0, 0);
  expect(rate.waitMs("busy", 0)).toBe(100_000);
});

test("a clock that is put back takes nothing away, and gives nothing twice", () => {
  const rate = new Rate(1, 1);
  rate.take("a", 1, 10_000);
  expect(rate.waitMs("a", 5_000)).toBe(1_000);
  expect(rate.waitMs("a", 5_500)).toBe(500);
});
