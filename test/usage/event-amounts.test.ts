import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inTenant } from "../../server/db/database.ts";
import { eventAmounts } from "../../server/usage/event-amounts.ts";
import type { UsageSpan } from "../../server/usage/usage-span.ts";
import { type Harness, setup } from "../support/harness.ts";

const SECOND = 1_000;
const start = Date.UTC(2015, 4, 1);
const batch = (number: number) => `00000000-0000-7000-8000-00000000000${number}`;

interface Event {
  customer: string;
  key: string;
  second: number;
  amount: string;
  /** The fold that counts it. */
  fold: number;
}

async function fill({ ownerDb, tenant }: Harness, events: readonly Event[]): Promise<void> {
  const folds = [1, 2, 3].map((number) => ({
    tenant_id: tenant.testId,
    batch_id: batch(number),
    number: BigInt(number),
  }));
  await ownerDb.insertInto("usage_fold").values(folds).execute();
  if (events.length === 0) return;
  const rows = events.map(({ customer, key, second, amount, fold }) => ({
    tenant_id: tenant.testId,
    idempotency_key: key,
    metric: "PAID",
    customer_id: customer,
    amount,
    occurred_at: new Date(start + second * SECOND),
    occurred_at_sent: true,
    properties: "{}",
    batch_id: batch(fold),
  }));
  await ownerDb.insertInto("usage_event").values(rows).execute();
}

const span = (customerId: string, from: number, to: number): UsageSpan => ({
  customerId,
  metric: "PAID",
  aggregation: "SUM",
  start: new Date(start + from * SECOND),
  end: new Date(start + to * SECOND),
});

/** All amounts of each span, and how many pages they came in. */
function read({ app, tenant }: Harness, spans: readonly UsageSpan[], foldNumber: bigint, eventsMax: number) {
  return inTenant(app.workerDb, tenant.testId, async (tx) => {
    const amounts: string[][] = spans.map(() => []);
    let pages = 0;
    for await (const page of eventAmounts(tx, tenant.testId, spans, foldNumber, { eventsMax })) {
      amounts[page.place]?.push(...page.amounts);
      pages++;
    }
    return { amounts, pages };
  });
}

describe("eventAmounts", () => {
  test("answers events by time, then by key, half-open, as plain digits", async () => {
    const harness = await setup();
    await fill(harness, [
      { customer: "ann", key: "b", second: 5, amount: "2.50", fold: 1 },
      { customer: "ann", key: "a", second: 5, amount: "1", fold: 1 },
      { customer: "ann", key: "B", second: 5, amount: "0", fold: 1 }, // before both: keys compare by their bytes
      { customer: "ann", key: "c", second: 0, amount: "99999999999999999999.000000000001", fold: 1 },
      { customer: "ann", key: "d", second: 9, amount: "7", fold: 1 },
      { customer: "bob", key: "e", second: 5, amount: "8", fold: 1 },
    ]);
    const spans = [span("ann", 0, 9), span("bob", 0, 9), span("ann", 5, 10), span("nobody", 0, 9)];
    const first = "99999999999999999999.000000000001";
    expect((await read(harness, spans, 3n, 100)).amounts).toEqual([
      [first, "0", "1", "2.5"],
      ["8"],
      ["0", "1", "2.5", "7"],
      [],
    ]);
    expect(await read(harness, [], 3n, 100)).toEqual({ amounts: [], pages: 0 });
  });

  test("answers the same in whatever pages, and only what was folded by then", async () => {
    const event = fc.record({
      customer: fc.constantFrom("ann", "bob"),
      key: fc.stringMatching(/^[aAbB]{1,6}$/),
      second: fc.nat({ max: 4 }),
      amount: fc.nat({ max: 99 }).map(String),
      fold: fc.integer({ min: 1, max: 3 }),
    });
    const events = fc.sample(fc.uniqueArray(event, { minLength: 40, maxLength: 60, selector: ({ key }) => key }), {
      numRuns: 1,
      seed: 7,
    })[0] as Event[];
    const harness = await setup();
    await fill(harness, events);
    const inOrder = events.toSorted(
      (one, other) => one.second - other.second || Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)),
    );
    const spans = [span("ann", 0, 5), span("bob", 0, 5), span("ann", 1, 4)];
    for (const foldNumber of [0n, 1n, 2n, 3n]) {
      const counted = inOrder.filter(({ fold }) => BigInt(fold) <= foldNumber);
      const of = (customer: string, from: number, to: number) =>
        counted
          .filter((one) => one.customer === customer && one.second >= from && one.second < to)
          .map((one) => one.amount);
      for (const eventsMax of [1, 6, 7, 1_000]) {
        const { amounts, pages } = await read(harness, spans, foldNumber, eventsMax);
        expect(amounts).toEqual([of("ann", 0, 5), of("bob", 0, 5), of("ann", 1, 4)]);
        if (eventsMax === 1) expect(pages).toBe(amounts.flat().length);
      }
    }
  });
});
