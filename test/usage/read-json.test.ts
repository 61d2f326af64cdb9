import fc from "fast-check";
import { expect, test } from "vitest";
import { decimal, plain } from "../../server/money.ts";
import { readAmount } from "../../server/usage/amount.ts";
import { parseExactJson, readEvent } from "../../server/usage/read-json.ts";

const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: 12 });
const number = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n - 1n }), fc.option(digits), fc.option(fc.integer({ min: -12, max: 12 })))
  .map(([whole, after, power]) => `${whole}${after === null ? "" : `.${after}`}${power === null ? "" : `e${power}`}`);

test("a number in JSON is the number that was written, whatever else the document holds", () => {
  fc.assert(
    fc.property(number, fc.boolean(), (text, other) => {
      const json = `{"metric":"M","customerId":"c","amount":${text}${other ? ',"properties":{"n":1.25}' : ""}}`;
      const event = readEvent(parseExactJson(json));
      const read = readAmount("amount" in event ? event.amount : "");
      if ("amount" in read) expect(plain(decimal(read.amount))).toBe(plain(decimal(text)));
      else expect(plain(decimal(text))).not.toMatch(/^\d{1,20}(\.\d{1,12})?$/);
    }),
    { numRuns: 1_000 },
  );
});

test("a number and its text say the same event", () => {
  fc.assert(
    fc.property(number, (text) => {
      const read = (amount: string) => readEvent(parseExactJson(`{"metric":"M","customerId":"c","amount":${amount}}`));
      const [first, second] = [read(text), read(`"${text}"`)].map((event) =>
        "amount" in event ? readAmount(event.amount) : event,
      );
      const value = (one: typeof first) => (one && "amount" in one ? plain(decimal(one.amount)) : "refused");
      expect(value(first)).toBe(value(second));
    }),
  );
});

test("scalars become the text of properties, with all their digits", () => {
  const json =
    '{"metric":"M","customerId":"c","amount":1,"properties":{"a":1.50,"b":true,"c":"x","d":12345678901234567890}}';
  expect(readEvent(parseExactJson(json))).toMatchObject({
    properties: { a: "1.50", b: "true", c: "x", d: "12345678901234567890" },
  });
});

test("text that is no JSON is refused with the parser's words", () => {
  for (const text of ["", "{", "[1,]", "{'a':1}", "1.5.2", "NaN"]) {
    expect(() => parseExactJson(text)).toThrow(/the body is not valid JSON/);
  }
});

test("a value that is no event says what is wrong with it, in whatever form it comes", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const read = readEvent(value as never);
      if ("$typeName" in read) return;
      expect(read.message).not.toBe("");
      expect(read.message).not.toMatch(/usageflow\.v1|google\.protobuf/);
    }),
  );
});
