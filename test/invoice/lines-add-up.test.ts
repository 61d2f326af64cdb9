import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { Aggregation, Period, type Plan, PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, minorDigits, zero } from "../../server/money.ts";
import { amounts, metered, quantities, terms } from "../support/any-price.ts";
import { listAllInvoices, setup } from "../support/harness.ts";
import { flat } from "../support/prices.ts";

const currencies = fc.constantFrom("JPY", "USD", "KWD");
const charges = fc.array(fc.tuple(metered, terms, quantities), { minLength: 1, maxLength: 4 });
const fees = fc.array(amounts.map(flat), { maxLength: 2 });

/** A plan of its own with a metric of its own for each price, and what is used of them. */
const sales = fc
  .record({ currency: currencies, charges, fees, minimumAmount: fc.oneof(fc.constant(""), amounts) })
  .map(({ currency, charges, fees, minimumAmount }) => (key: string) => {
    const prices = [
      ...charges.map(([model, terms], i) => ({ key: `use${i}`, metric: `${key}-${i}`, model, ...terms })),
      ...fees.map((model, i) => ({ key: `fee${i}`, model })),
    ];
    const plan = create(PlanSchema, { key, currency, period: Period.MONTHLY, minimumAmount, prices });
    return { plan, used: charges.map(([, , quantity]) => quantity) };
  });

test("the lines of an invoice add up to its total, each is rounded once, and the minimum is reached, whatever is sold", async () => {
  const harness = await setup();
  await fc.assert(
    fc.asyncProperty(fc.array(sales, { minLength: 20, maxLength: 20 }), async (list) => {
      const { testKey, testId } = await harness.addOrganization("Any");
      const clients = harness.clientsFor(testKey);
      const sold = list.map((sale, i) => sale(`plan-${i}`));
      const metrics = sold.flatMap(({ used, plan }) =>
        used.map((_, i) => ({ key: `${plan.key}-${i}`, aggregation: Aggregation.SUM })),
      );
      await clients.pricing.pushCatalog({ catalog: { metrics, plans: sold.map(({ plan }) => plan) } });
      for (const { plan } of sold) {
        await clients.pricing.startSubscription({ customerId: plan.key, plan: plan.key });
      }
      const events = sold.flatMap(({ plan, used }) =>
        used.map((amount, i) => ({ metric: `${plan.key}-${i}`, customerId: plan.key, amount })),
      );
      await clients.usage.trackUsage({ events });
      const to = timestampFromDate(new Date("2015-06-01T01:00:00Z"));
      await clients.tenant.advanceClock({ destination: { case: "to", value: to } });
      await harness.drain();

      const invoices = await listAllInvoices(clients);
      expect(invoices.length).toBe(sold.length);
      const { rows } = await sql<{ invoices: number }>`
        select count(*)::integer as invoices from invoice_document d
        where tenant_id = ${testId} and total_minor = (
          select sum(amount_minor) from invoice_line l where l.tenant_id = d.tenant_id and l.invoice_id = d.invoice_id
        )`.execute(harness.ownerDb);
      expect(rows).toEqual([{ invoices: sold.length }]);
      for (const invoice of invoices) {
        const { plan } = sold.find((sale) => sale.plan.key === invoice.customerId) as { plan: Plan };
        const unit = decimal(`1e-${minorDigits(plan.currency)}`);
        const total = decimal(`${invoice.totalMinor}`).times(unit);
        expect(total.plus(unit).gt(decimal(plan.minimumAmount || "0"))).toBe(true);
        for (const { amountMinor, exactAmount, steps } of invoice.lines) {
          const off = decimal(`${amountMinor}`).times(unit).minus(decimal(exactAmount)).abs();
          expect(off.times(decimal("2")).lte(unit)).toBe(true);
          const sum = steps.reduce((sum, step) => sum.plus(decimal(step.amount)), zero);
          expect(sum.eq(decimal(exactAmount))).toBe(true);
        }
        const { matches } = await clients.invoice.verifyInvoice({ id: invoice.id });
        expect(matches).toBe(true);
      }
    }),
    { numRuns: 5, endOnFailure: true }, // to make such a month again for every shorter list would take minutes
  );
});
