import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type InvoiceLine, InvoiceLineKind, InvoiceLineSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Rate } from "../../server/invoice/invoice-tax.ts";
import {
  type CreditTerms,
  type DiscountTerms,
  partsOf,
  type Settlement,
  settle,
  settleInTurn,
  type Terms,
  totalOf,
} from "../../server/invoice/settlement.ts";
import { decimal, plain, toMinor, zero } from "../../server/money.ts";

const charge = (amountMinor: bigint) => create(InvoiceLineSchema, { kind: InvoiceLineKind.PRICE, amountMinor });
const off = (id: string, percent: string): DiscountTerms => ({ id, name: id, percent, leftMinor: null });
const less = (id: string, leftMinor: bigint): DiscountTerms => ({ id, name: id, percent: null, leftMinor });
const rate = (percent: string, inclusive = false): Rate => ({ name: "VAT", percent, inclusive });
const credit = (grantId: string, leftMinor: bigint): CreditTerms => ({ grantId, note: "", leftMinor });
const terms = (some: Partial<Terms> = {}): Terms => ({
  currency: "USD",
  discounts: [],
  taxRates: [],
  credits: [],
  ...some,
});

/** The lines after the charges, in few words. */
function added({ lines }: Settlement): string[] {
  return lines
    .filter((line) => line.kind !== InvoiceLineKind.PRICE)
    .map((line) => `${line.description} ${line.amountMinor}`);
}

describe("charges", () => {
  test("without terms are all there is", () => {
    const charges = [charge(1000n), charge(0n)];
    expect(settle(charges, terms())).toEqual({ lines: charges, taxes: [], discounts: [], draws: [], grantedMinor: 0n });
  });

  test("that are none owe no tax line either", () => {
    expect(settle([], terms({ taxRates: [rate("19")] })).lines).toEqual([]);
  });

  test("are discounted, then taxed, then paid with credit", () => {
    const its = terms({ discounts: [off("a", "10")], taxRates: [rate("19")], credits: [credit("c", 5000n)] });
    const settlement = settle([charge(10000n)], its);
    expect(added(settlement)).toEqual(["a (10%) -1000", "VAT (19%) 1710", "Paid with credit -5000"]);
    expect(totalOf(settlement.lines)).toBe(5710n);
    expect(partsOf(settlement.lines)).toEqual({
      subtotalMinor: 10000n,
      discountMinor: 1000n,
      taxMinor: 1710n,
      creditMinor: 5000n,
    });
  });
});

describe("discounts", () => {
  test("take off in their order, each of what is left", () => {
    const discounts = [less("a", 1000n), off("b", "50"), less("c", 99999n), off("d", "10")];
    expect(added(settle([charge(10000n)], terms({ discounts })))).toEqual(["a -1000", "b (50%) -4500", "c -4500"]);
  });

  test("round half a cent away from zero, once", () => {
    expect(added(settle([charge(5n)], terms({ discounts: [off("a", "50")] })))).toEqual(["a (50%) -3"]);
    expect(added(settle([charge(1n), charge(2n)], terms({ discounts: [off("a", "50")] })))).toEqual(["a (50%) -2"]);
  });

  test("of a percentage are given back with charges that are taken back, amounts are not", () => {
    const settlement = settle([charge(-1000n)], terms({ discounts: [off("a", "10"), less("b", 500n)] }));
    expect(added(settlement)).toEqual(["a (10%) 100", "Granted as credit 900"]);
  });
});

describe("taxes", () => {
  // The two policies give other cents, by field notes on Lago and Flexprice: 11.49 each by itself, 11.50 on the sum.
  test("are each rounded by themselves", () => {
    const taxRates = [rate("8.875"), rate("2.125"), rate("0.5")];
    const { taxes, lines } = settle([charge(9999n)], terms({ taxRates }));
    expect(taxes.map((tax) => tax.amountMinor)).toEqual([887n, 212n, 50n]);
    expect(totalOf(lines)).toBe(9999n + 1149n);
  });

  // 119.00 with 19 % in it are 100.00 and 19.00: the German tax authority's own example of a gross price.
  test("that amounts contain are shown and not added", () => {
    const { taxes, lines } = settle([charge(11900n)], terms({ taxRates: [rate("19", true)] }));
    expect(taxes).toMatchObject([
      { name: "VAT", percent: "19", inclusive: true, baseMinor: 10000n, amountMinor: 1900n },
    ]);
    expect(lines).toHaveLength(1);
  });

  test("that are added to amounts with another tax in them are not on that tax", () => {
    const { taxes } = settle([charge(11900n)], terms({ taxRates: [rate("19", true), rate("5")] }));
    expect(taxes).toMatchObject([
      { baseMinor: 10000n, amountMinor: 1900n },
      { baseMinor: 10000n, amountMinor: 500n },
    ]);
  });

  test("of nothing, or of 0 percent, still stand on the invoice", () => {
    expect(added(settle([charge(0n)], terms({ taxRates: [rate("19")] })))).toEqual(["VAT (19%) 0"]);
    expect(added(settle([charge(5n)], terms({ taxRates: [rate("0")] })))).toEqual(["VAT (0%) 0"]);
  });

  test("are taken back with charges", () => {
    expect(added(settle([charge(-1000n)], terms({ taxRates: [rate("19")] })))).toEqual([
      "VAT (19%) -190",
      "Granted as credit 1190",
    ]);
  });

  test("round a contained tax by its exact quotient, however near it is to a half", () => {
    const half = settle([charge(1n)], terms({ taxRates: [rate("100", true)] }));
    expect(half.taxes[0]?.amountMinor).toBe(1n);
    const below = settle([charge(1n)], terms({ taxRates: [rate("99.999999999999999999", true)] }));
    expect(below.taxes[0]?.amountMinor).toBe(0n);
  });
});

describe("credits", () => {
  test("are drawn one after the other, until all is paid", () => {
    const credits = [credit("a", 300n), credit("b", 0n), credit("c", 500n), credit("d", 500n)];
    const { draws, lines } = settle([charge(1000n)], terms({ credits }));
    expect(draws).toEqual([
      { grantId: "a", amountMinor: 300n },
      { grantId: "c", amountMinor: 500n },
      { grantId: "d", amountMinor: 200n },
    ]);
    expect(lines.at(-1)?.steps.map((step) => step.amount)).toEqual(["-3", "-5", "-2"]);
    expect(totalOf(lines)).toBe(0n);
  });

  test("are granted, not drawn, by an invoice that comes to less than nothing", () => {
    const settlement = settle([charge(-700n)], terms({ credits: [credit("a", 300n)] }));
    expect(settlement).toMatchObject({ draws: [], grantedMinor: 700n });
    expect(totalOf(settlement.lines)).toBe(0n);
  });
});

test("in turn, what one invoice takes is not there for the next: credits at all, an amount off in the same period", () => {
  const its = terms({ discounts: [less("a", 1500n)], credits: [credit("c", 1000n)] });
  const charges = [1000n, 1000n, 1000n].map((minor) => [charge(minor)]);
  const settled = settleInTurn(charges, [its, its, its], (place) => (place < 2 ? "May" : "June"));
  expect(settled.map(added)).toEqual([["a -1000"], ["a -500", "Paid with credit -500"], ["a -1000"]]);
});

describe("whatever the terms", () => {
  const minors = fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n });
  const positive = fc.bigInt({ min: 0n, max: 10n ** 9n });
  const percents = fc
    .tuple(fc.nat({ max: 99 }), fc.stringMatching(/^[0-9]{0,18}$/))
    .map(([head, tail]) => (tail ? `${head}.${tail}` : `${head}`));
  const discounts = fc.array(
    fc.oneof(
      percents.map((percent) => off(`p${percent}`, percent)),
      positive.map((minor) => less(`a${minor}`, minor)),
    ),
    { maxLength: 4 },
  );
  const rates = fc.array(
    fc.tuple(percents, fc.boolean()).map(([percent, inclusive]) => rate(percent, inclusive)),
    { maxLength: 4 },
  );
  const credits = fc.array(positive, { maxLength: 4 }).map((list) => list.map((minor, i) => credit(`c${i}`, minor)));
  const anyTerms = fc.record({
    currency: fc.constantFrom("USD", "JPY", "KWD"),
    discounts,
    taxRates: rates,
    credits,
  });
  const anyCharges = fc.array(minors.map(charge), { minLength: 1, maxLength: 5 });
  const kinds = (lines: readonly InvoiceLine[]) => lines.map((line) => line.kind);

  test("the lines are the total, which is never negative, and its parts add up to it", () => {
    fc.assert(
      fc.property(anyCharges, anyTerms, (charges, its) => {
        const { lines, grantedMinor, draws } = settle(charges, its);
        const total = totalOf(lines);
        expect(total >= 0n).toBe(true);
        const { subtotalMinor, discountMinor, taxMinor, creditMinor } = partsOf(lines);
        expect(subtotalMinor).toBe(totalOf(charges));
        expect(total).toBe(subtotalMinor - discountMinor + taxMinor - creditMinor);
        expect(creditMinor).toBe(draws.reduce((sum, draw) => sum + draw.amountMinor, 0n) - grantedMinor);
      }),
    );
  });

  test("the lines stand in their order, and each is the rounded sum of its steps", () => {
    fc.assert(
      fc.property(anyCharges, anyTerms, (charges, its) => {
        const { lines } = settle(charges, its);
        expect(kinds(lines)).toEqual(kinds(lines).sort((a, b) => a - b));
        for (const line of lines.slice(charges.length)) {
          const sum = line.steps.reduce((total, { amount }) => total.plus(decimal(amount)), zero);
          expect(line.exactAmount).toBe(plain(sum));
          expect(line.amountMinor).toBe(toMinor(sum, its.currency));
        }
      }),
    );
  });

  test("no credit is drawn beyond what is left of it, and none is left over while something is owed", () => {
    fc.assert(
      fc.property(anyCharges, anyTerms, (charges, its) => {
        const { lines, draws } = settle(charges, its);
        const left = new Map(its.credits.map(({ grantId, leftMinor }) => [grantId, leftMinor]));
        for (const { grantId, amountMinor } of draws) {
          expect(amountMinor > 0n).toBe(true);
          left.set(grantId, (left.get(grantId) as bigint) - amountMinor);
        }
        const rest = [...left.values()];
        expect(rest.every((minor) => minor >= 0n)).toBe(true);
        if (totalOf(lines) > 0n) expect(rest.every((minor) => minor === 0n)).toBe(true);
      }),
    );
  });

  test("discounts never turn charges around, and amounts never take off more than is left of them", () => {
    fc.assert(
      fc.property(anyCharges, anyTerms, (charges, its) => {
        const { subtotalMinor, discountMinor } = partsOf(settle(charges, its).lines);
        const rest = subtotalMinor - discountMinor;
        expect(subtotalMinor >= 0n ? rest >= 0n && rest <= subtotalMinor : rest <= 0n && rest >= subtotalMinor).toBe(
          true,
        );
        for (const line of settle(charges, its).lines) {
          const discount = its.discounts.find(({ id }) => id === line.discountId);
          if (discount?.leftMinor != null) expect(-line.amountMinor <= discount.leftMinor).toBe(true);
        }
      }),
    );
  });

  test("contained taxes and what they are on are the amount, to the cent of each rate", () => {
    fc.assert(
      fc.property(minors, rates, (minor, some) => {
        const contained = some.map((one) => ({ ...one, inclusive: true }));
        const { taxes } = settle([charge(minor)], terms({ taxRates: contained }));
        const sum = taxes.reduce((total, tax) => total + tax.amountMinor, 0n);
        for (const tax of taxes) expect(tax.baseMinor + sum).toBe(minor);
      }),
    );
  });

  test("many invoices in turn draw no credit beyond what there is", () => {
    fc.assert(
      fc.property(fc.array(anyCharges, { maxLength: 6 }), anyTerms, (invoices, its) => {
        const settled = settleInTurn(
          invoices,
          invoices.map(() => its),
          () => "May",
        );
        for (const { grantId, leftMinor } of its.credits) {
          const drawn = settled.flatMap(({ draws }) => draws).filter((draw) => draw.grantId === grantId);
          expect(drawn.reduce((sum, draw) => sum + draw.amountMinor, 0n) <= leftMinor).toBe(true);
        }
        for (const { id, leftMinor } of its.discounts) {
          const lines = settled.flatMap(({ lines }) => lines).filter((line) => line.discountId === id);
          if (leftMinor !== null && its.discounts.filter((one) => one.id === id).length === 1) {
            expect(-totalOf(lines) <= leftMinor).toBe(true);
          }
        }
      }),
    );
  });
});
