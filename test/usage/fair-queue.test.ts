import fc from "fast-check";
import { expect, test } from "vitest";
import { FairQueue } from "../../server/usage/fair-queue.ts";

const request = (tenantId: string, rows: number, number = 0) => ({ tenantId, rows: Array(rows).fill(0), number });

test("everything comes out once, and what is of one tenant in its order", () => {
  const one = fc.record({ tenant: fc.integer({ min: 0, max: 5 }), rows: fc.integer({ min: 1, max: 1_000 }) });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 60 }), fc.integer({ min: 1, max: 3_000 }), (requests, rowsMax) => {
      const queue = new FairQueue<ReturnType<typeof request>>();
      for (const [number, { tenant, rows }] of requests.entries()) queue.add(request(`t${tenant}`, rows, number));
      const out: ReturnType<typeof request>[] = [];
      while (queue.rows > 0) {
        const group = queue.take(rowsMax);
        expect(group.length).toBeGreaterThan(0);
        const rows = group.map((each) => each.rows.length);
        expect(rows.slice(0, -1).reduce((sum, count) => sum + count, 0)).toBeLessThan(rowsMax);
        out.push(...group);
      }
      expect(out.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual(requests.map((_, number) => number));
      for (const tenant of new Set(out.map(({ tenantId }) => tenantId))) {
        const numbers = out.filter(({ tenantId }) => tenantId === tenant).map(({ number }) => number);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        expect(queue.rowsOf(tenant)).toBe(0);
      }
    }),
  );
});

test("one event is in the next commit, however many batches of another tenant came before it", () => {
  const queue = new FairQueue<ReturnType<typeof request>>();
  for (let count = 0; count < 40; count++) queue.add(request("noisy", 1_000));
  queue.add(request("quiet", 1));
  expect(queue.take(2_000).map(({ tenantId }) => tenantId)).toContain("quiet");
});

test("tenants that all send batches get as many rows each", () => {
  const queue = new FairQueue<ReturnType<typeof request>>();
  for (let count = 0; count < 300; count++) queue.add(request("large", 1_000));
  for (let count = 0; count < 3_000; count++) queue.add(request("small", 100));
  const rows = { large: 0, small: 0 };
  for (let group = 0; group < 100; group++) {
    for (const taken of queue.take(2_000)) rows[taken.tenantId as keyof typeof rows] += taken.rows.length;
  }
  expect(Math.abs(rows.large - rows.small)).toBeLessThan(4_000);
});
