import fc from "fast-check";
import { expect, test } from "vitest";
import { InvoiceKind, InvoiceLineKind } from "../../gen/usageflow/v1/invoice_pb.ts";
import { ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, toMinor } from "../../server/money.ts";
import { shareOf } from "../../server/pricing/prorate.ts";
import { listAllInvoices } from "../support/harness.ts";
import { change, mismatches, offered, started } from "../support/subscriptions.ts";

// What a month of one seat costs; the first two do not depend on seats.
const FEES: Record<string, number> = { starter: 31, team: 62, seats: 31, late_seats: 31 };
const BEGIN = Date.parse("2015-05-21T00:00:00Z");
const SECONDS = 70 * 86_400;
const iso = (second: number) => new Date(BEGIN + second * 1_000).toISOString();

/** A time on one plan, with one number of seats. */
interface Span {
  plan: string;
  quantity: number;
  from: number;
  to: number;
}

/** What a span owes: of each calendar month that it lies in its share. */
function owed({ plan, quantity, from, to }: Span): bigint {
  const seats = plan.includes("seats") ? quantity : 1;
  const amount = decimal(String((FEES[plan] as number) * seats));
  const [start, end] = [new Date(iso(from)), new Date(iso(to))];
  const months = [4, 5, 6, 7].map((month) => ({
    start: new Date(Date.UTC(2015, month, 1)),
    end: new Date(Date.UTC(2015, month + 1, 1)),
  }));
  return months.reduce((sum, month) => {
    const part = {
      start: start > month.start ? start : month.start,
      end: end < month.end ? end : month.end,
      of: month,
    };
    return part.start < part.end ? sum + toMinor(shareOf(amount, part, "USD"), "USD") : sum;
  }, 0n);
}

const wishes = fc.uniqueArray(
  fc.record({
    second: fc.integer({ min: 1, max: SECONDS }),
    plan: fc.constantFrom(...Object.keys(FEES)),
    quantity: fc.integer({ min: 1, max: 9 }),
  }),
  { minLength: 1, maxLength: 6, selector: ({ second }) => second },
);

test("whatever is changed when, each second is billed once, under what was so then, and comes out the same again", async () => {
  await fc.assert(
    fc.asyncProperty(wishes, async (unsorted) => {
      const changes = unsorted.toSorted((a, b) => a.second - b.second);
      const harness = await offered();
      const id = await started(harness, "seats", { quantity: 2, startAt: iso(0) });
      const spans: Span[] = [{ plan: "seats", quantity: 2, from: 0, to: SECONDS + 1 }];
      for (const { second, ...wish } of changes) {
        await harness.advanceTo(iso(second));
        await change(harness, id, wish);
        (spans.at(-1) as Span).to = second;
        spans.push({ ...wish, from: second, to: SECONDS + 1 });
      }
      await harness.advanceTo(iso(SECONDS + 1));
      await harness.clients.pricing.endSubscription({ id, timing: ChangeTiming.NOW });
      await harness.advanceTo(iso(SECONDS + 86_400));
      const invoices = await listAllInvoices(harness.clients);
      const credit: InvoiceLineKind[] = [InvoiceLineKind.CREDIT_DRAWN, InvoiceLineKind.CREDIT_GRANTED];
      const lines = invoices.flatMap((invoice) => invoice.lines).filter(({ kind }) => !credit.includes(kind));
      const billed = lines.reduce((sum, line) => sum + line.amountMinor, 0n);
      expect(billed).toBe(spans.reduce((sum, span) => sum + owed(span), 0n));
      const arrears = invoices.filter(({ kind }) => kind === InvoiceKind.IN_ARREARS);
      const starts = arrears.map(({ periodStart }) => periodStart?.seconds);
      expect(new Set(starts).size).toBe(arrears.length);
      expect(await mismatches(harness)).toEqual([]);
    }),
    { numRuns: 4 },
  );
}, 60_000);
