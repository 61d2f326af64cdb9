import { create, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CreditNoteLineSchema } from "../../gen/usageflow/v1/credit_note_pb.ts";
import { InvoiceLineKind, InvoiceLineSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { chargesByPeriod, type NoteAmounts, takenCharges } from "../../server/invoice/taken-charges.ts";

const line = (amountMinor: bigint, adjustedInvoiceId = "") =>
  create(InvoiceLineSchema, {
    kind: adjustedInvoiceId ? InvoiceLineKind.LATE_USAGE : InvoiceLineKind.PRICE,
    amountMinor,
    adjustedInvoiceId,
  });

/** Notes that take so much one after the other, each with the lines that it names. */
function notesOf(
  value: bigint,
  takes: readonly { amount: bigint; named?: readonly [number, bigint][] }[],
): NoteAmounts[] {
  let before = 0n;
  return takes.map(({ amount, named = [] }, at) => {
    const lines = named.map(([position, amountMinor]) =>
      toJson(CreditNoteLineSchema, create(CreditNoteLineSchema, { position, amountMinor })),
    );
    const note = { number: `CN-${at + 1}`, before_minor: before, amount_minor: amount, value_minor: value, lines };
    before += amount;
    return note;
  });
}

const words = (lines: Parameters<typeof takenCharges>[1], notes: readonly NoteAmounts[]) =>
  takenCharges("own", lines, notes).map(
    ({ number, invoiceId, amountMinor }) => `${number} ${invoiceId} ${amountMinor}`,
  );

test("a note takes of the lines that it names, then of the invoice's own period, then of others", () => {
  const lines = [line(2_000n), line(500n, "may"), line(100n, "april")];
  const takes = [{ amount: 100n }, { amount: 500n, named: [[2, 500n]] as [number, bigint][] }, { amount: 2_000n }];
  expect(words(lines, notesOf(2_600n, takes))).toEqual([
    "CN-1 own 100",
    "CN-2 may 500",
    "CN-3 own 1900",
    "CN-3 april 100",
  ]);
});

test("its charges are its share of them, whatever discounts and tax make of the amount", () => {
  expect(words([line(1_000n)], notesOf(595n, [{ amount: 200n }, { amount: 395n }]))).toEqual([
    "CN-1 own 336",
    "CN-2 own 664",
  ]);
});

test("what an invoice gives back of another is not taken", () => {
  expect(words([line(2_000n), line(-1_100n, "may")], notesOf(900n, [{ amount: 900n }]))).toEqual(["CN-1 own 900"]);
});

test("notes take their charges once, of no period more than was charged for it, and together all", () => {
  const amounts = fc.array(fc.bigInt({ min: -500n, max: 5_000n }), { minLength: 1, maxLength: 5 });
  const parts = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 9 }), named: fc.nat(4), most: fc.nat(4_000) }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(amounts, parts, fc.bigInt({ min: 1n, max: 20_000n }), ([own, ...others], parts, value) => {
      const lines = [line(BigInt(Math.abs(Number(own)))), ...others.map((amount, at) => line(amount, `p${at}`))];
      const charges = lines.reduce((sum, one) => sum + one.amountMinor, 0n);
      fc.pre(charges > 0n);
      const weight = BigInt(parts.reduce((sum, part) => sum + part.weight, 0));
      const takes = parts.map((part, at): Parameters<typeof notesOf>[1][number] => ({
        amount:
          at === 0 ? value - (weight - BigInt(part.weight)) * (value / weight) : BigInt(part.weight) * (value / weight),
        named: [[1 + (part.named % lines.length), BigInt(part.most)]],
      }));
      const taken = takenCharges("own", lines, notesOf(value, takes));
      expect(taken.reduce((sum, one) => sum + one.amountMinor, 0n)).toBe(charges);
      for (const [period, charged] of chargesByPeriod("own", lines)) {
        const its = taken.filter(({ invoiceId }) => invoiceId === period);
        expect(its.reduce((sum, one) => sum + one.amountMinor, 0n)).toBeLessThanOrEqual(charged);
      }
    }),
  );
});
