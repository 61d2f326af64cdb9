import fc from "fast-check";
import { expect, test } from "vitest";
import { decimal, plain } from "../../server/money.ts";
import { readAmount } from "../../server/usage/amount.ts";

const digits = (options: { minLength: number; maxLength: number }) =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), ...options });
const whole = digits({ minLength: 1, maxLength: 20 }).map((text) => text.replace(/^0+(?=.)/, ""));

test("a plain decimal of up to 20 and 12 digits is itself", () => {
  fc.assert(
    fc.property(whole, digits({ minLength: 0, maxLength: 12 }), (before, after) => {
      const text = after === "" ? before : `${before}.${after}`;
      expect(readAmount(text)).toEqual({ amount: text });
    }),
  );
});

test("what is accepted is the number that was written, to the last digit", () => {
  const exponent = fc.integer({ min: -40, max: 40 });
  const form = fc.constantFrom("e", "E", "e+");
  fc.assert(
    fc.property(whole, digits({ minLength: 1, maxLength: 12 }), exponent, form, (before, after, power, e) => {
      const text = `${before}.${after}${power < 0 ? "e" : e}${power}`;
      const read = readAmount(text);
      if ("amount" in read) expect(plain(decimal(read.amount))).toBe(plain(decimal(text)));
      else expect(plain(decimal(text))).not.toMatch(/^\d{1,20}(\.\d{1,12})?$/);
    }),
  );
});

test("anything else is refused, and never throws", () => {
  fc.assert(fc.property(fc.string(), (text) => void readAmount(text)));
  const wrong = [
    "",
    " ",
    "1 ",
    "+1",
    ".5",
    "5.",
    "1.2.3",
    "01",
    "1e",
    "1e1.5",
    "1e9999",
    "NaN",
    "Infinity",
    "0x1",
    "1_000",
  ];
  for (const text of wrong) expect([text, readAmount(text)]).toEqual([text, { problem: expect.any(String) }]);
});

test("nothing below zero is taken, and zero has no sign", () => {
  fc.assert(
    fc.property(whole, (before) => {
      if (/[1-9]/.test(before)) expect(readAmount(`-${before}`)).toEqual({ problem: "must not be negative" });
    }),
  );
  for (const zero of ["-0", "-0.0", "-0.000000000000"]) expect(readAmount(zero)).toEqual({ amount: "0" });
  expect(readAmount("-0.1")).toEqual({ problem: "must not be negative" });
});
