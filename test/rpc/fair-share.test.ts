import fc from "fast-check";
import { expect, test } from "vitest";
import { FairShare } from "../../server/rpc/fair-share.ts";

/** Sends calls of tenants, mixed as they come, and answers how many of each are taken. */
function send(share: FairShare, calls: Record<string, number>): Record<string, number> {
  const left = new Map(Object.entries(calls));
  const taken = Object.fromEntries(Object.keys(calls).map((tenant) => [tenant, 0]));
  for (let most = Math.max(...left.values()); most > 0; most--) {
    for (const [tenant, count] of left)
      if (count >= most && share.take(tenant)) taken[tenant] = (taken[tenant] ?? 0) + 1;
  }
  return taken;
}

test("a process that is on time takes everything", () => {
  const share = new FairShare();
  for (let window = 0; window < 10; window++) {
    expect(send(share, { noisy: 10_000, quiet: 10 })).toEqual({ noisy: 10_000, quiet: 10 });
    share.next(false);
  }
});

test("one that is late takes less, window by window, from who sends most", () => {
  const share = new FairShare();
  send(share, { noisy: 10_000, quiet: 10 });
  const noisy: number[] = [];
  for (let window = 0; window < 5; window++) {
    share.next(true);
    const taken = send(share, { noisy: 10_000, quiet: 10 });
    expect(taken.quiet).toBe(10);
    noisy.push(taken.noisy as number);
  }
  expect(noisy).toEqual(noisy.toSorted((a, b) => b - a));
  expect(noisy.at(-1)).toBeLessThan(1_000);
});

test("who sends no more than an equal part is never refused", () => {
  const others = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(others, fc.integer({ min: 1, max: 10 }), (counts, windows) => {
      const share = new FairShare();
      // The least that is ever shared out is 250 calls.
      const modest = Math.floor(250 / (counts.length + 1));
      for (let window = 0; window < windows; window++) {
        const calls = Object.fromEntries(counts.map((count, place) => [`t${place}`, count]));
        expect(send(share, { ...calls, modest }).modest).toBe(modest);
        share.next(true);
      }
    }),
  );
});

test("when it is on time again, it takes everything again", () => {
  const share = new FairShare();
  send(share, { noisy: 10_000 });
  for (let window = 0; window < 20; window++) {
    share.next(true);
    send(share, { noisy: 10_000 });
  }
  let windows = 0;
  for (let taken = 0; taken < 10_000; windows++) {
    share.next(false);
    taken = send(share, { noisy: 10_000 }).noisy as number;
  }
  expect(windows).toBeLessThan(40);
});
