import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { InvoiceLineKind, InvoiceLineSchema, InvoiceTaxSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { amountOfCharges, outcomeOf, takeable, taxOf } from "../../server/invoice/credit-note-amounts.ts";

const minor = fc.bigInt({ min: 0n, max: 10n ** 12n });
const none = { amount: 0n, charges: 0n };

/** An invoice with tax, of which credit paid a part. */
const invoices = fc
  .record({ net: fc.bigInt({ min: 1n, max: 10n ** 12n }), tax: minor, drawn: minor })
  .map(({ net, tax, drawn }) => {
    const value = net + tax;
    return { value, total: drawn < value ? value - drawn : 0n, tax, charges: net };
  });

/** A way to take `whole` back in parts. */
const inParts = (whole: bigint) =>
  fc
    .array(fc.bigInt({ min: 0n, max: whole }), { maxLength: 8 })
    .map((cuts) => [...new Set([0n, ...cuts, whole])].sort((a, b) => (a < b ? -1 : 1)))
    .map((cuts) => cuts.slice(1).map((cut, at) => cut - (cuts[at] as bigint)));

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

test("what there is to take back is the total and the credit that was drawn; the tax is added or contained", () => {
  const line = (kind: InvoiceLineKind, amountMinor: bigint) => create(InvoiceLineSchema, { kind, amountMinor });
  const lines = [
    line(InvoiceLineKind.PRICE, 9_000n),
    line(InvoiceLineKind.MINIMUM, 1_000n),
    line(InvoiceLineKind.DISCOUNT, -2_000n),
    line(InvoiceLineKind.TAX, 1_520n),
    line(InvoiceLineKind.CREDIT_DRAWN, -520n),
  ];
  const taxes = [
    create(InvoiceTaxSchema, { amountMinor: 1_520n }),
    create(InvoiceTaxSchema, { amountMinor: 80n, inclusive: true }),
  ];
  expect(takeable(lines, taxes)).toEqual({ value: 9_520n, total: 9_000n, tax: 1_600n, charges: 10_000n });
  const negative = [line(InvoiceLineKind.PRICE, -700n), line(InvoiceLineKind.CREDIT_GRANTED, 700n)];
  expect(takeable(negative, [])).toMatchObject({ value: 0n, total: 0n });
});

test("a full note takes all tax, and so do any parts together", () => {
  fc.assert(
    fc.property(
      invoices.chain((invoice) => fc.tuple(fc.constant(invoice), inParts(invoice.value))),
      ([invoice, parts]) => {
        expect(taxOf(invoice, none, invoice.value)).toBe(invoice.tax);
        let amount = 0n;
        const taxes = parts.map((part) => {
          const tax = taxOf(invoice, { ...none, amount }, part);
          amount += part;
          expect(tax >= 0n && tax <= part).toBe(true);
          return tax;
        });
        expect(sum(taxes)).toBe(invoice.tax);
      },
    ),
  );
});

test("all charges, in any parts, come to all that there is", () => {
  fc.assert(
    fc.property(
      invoices.chain((invoice) => fc.tuple(fc.constant(invoice), inParts(invoice.charges))),
      ([invoice, parts]) => {
        let charges = 0n;
        const amounts = parts.map((part) => {
          const amount = amountOfCharges(invoice, { amount: 0n, charges }, part);
          charges += part;
          return amount;
        });
        expect(sum(amounts)).toBe(invoice.value);
      },
    ),
  );
});

test("what becomes of parts adds up: never more refunded than was to be paid, nor credited than was drawn", () => {
  fc.assert(
    fc.property(
      invoices.chain((invoice) => fc.tuple(fc.constant(invoice), inParts(invoice.value))),
      fc.nat(8),
      fc.boolean(),
      ([invoice, parts], paidFrom, refund) => {
        let amount = 0n;
        const all = parts.map((part, at) => {
          const settled = outcomeOf(invoice, { ...none, amount }, part, { paid: at >= paidFrom, refund });
          expect(settled.dueReduced + settled.credited + settled.refunded).toBe(part);
          amount += part;
          return settled;
        });
        const dueReduced = sum(all.map((settled) => settled.dueReduced));
        const refunded = sum(all.map((settled) => settled.refunded));
        const credited = sum(all.map((settled) => settled.credited));
        expect(dueReduced + refunded <= invoice.total).toBe(true);
        if (refund) {
          expect(dueReduced + refunded).toBe(invoice.total);
          expect(credited).toBe(invoice.value - invoice.total);
        } else expect(refunded).toBe(0n);
      },
    ),
  );
});
