import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvoiceKind } from "../../gen/usageflow/v1/invoice_pb.ts";
import { PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { draftLines } from "../../server/invoice/draft-lines.ts";
import { totalOf } from "../../server/invoice/settlement.ts";
import { fromMinor } from "../../server/money.ts";
import type { PeriodPart } from "../../server/pricing/prorate.ts";

const plan = fromJson(PlanSchema, {
  key: "pro",
  currency: "USD",
  prices: [
    { key: "seat", name: "Licence", flat: { amount: "9.999", timing: "FLAT_TIMING_IN_ADVANCE" } },
    { key: "calls", name: "API calls", metric: "API_CALL", perUnit: { unitAmount: "0.0333" } },
    { key: "base", flat: { amount: "20.00" } },
    { key: "egress", name: "Egress", metric: "BYTES", package: { size: "1000000", amount: "0.09" } },
  ],
});
const usage: Record<string, { quantity: string; unit: string }> = {
  calls: { quantity: "482", unit: "" },
  egress: { quantity: "75000001", unit: "byte" },
};
const none = { quantity: "0", unit: "" };

function linesOf(kind: InvoiceKind, used = usage) {
  return draftLines(plan, kind, ({ key }) => [used[key] ?? none]);
}

/** The line of one price, in words. */
async function words(price: JsonObject, quantity: string, unit = ""): Promise<string | undefined> {
  const one = fromJson(PlanSchema, { key: "p", currency: "USD", prices: [price] });
  return (await draftLines(one, InvoiceKind.IN_ARREARS, () => [{ quantity, unit }]))[0]?.description;
}

describe("draftLines", () => {
  test("has what is billed when a period has ended, in the order of the plan", async () => {
    expect(await linesOf(InvoiceKind.IN_ARREARS)).toMatchObject([
      { priceKey: "calls", metric: "API_CALL", quantity: "482", amountMinor: 1605n, exactAmount: "16.0506" },
      { priceKey: "base", metric: "", quantity: "1", amountMinor: 2000n, exactAmount: "20" },
      { priceKey: "egress", metric: "BYTES", quantity: "75000001", amountMinor: 684n, exactAmount: "6.84" },
    ]);
  });

  test("has what is billed when a period begins, and no usage", async () => {
    expect(await linesOf(InvoiceKind.IN_ADVANCE)).toMatchObject([
      { priceKey: "seat", quantity: "1", amountMinor: 1000n, exactAmount: "9.999", description: "Licence" },
    ]);
  });

  test("has a line where nothing was used", async () => {
    const lines = await linesOf(InvoiceKind.IN_ARREARS, {});
    expect(lines.map((line) => [line.description, line.amountMinor])).toEqual([
      ["API calls: 0 units", 0n],
      ["base", 2000n],
      ["Egress: 0 packages of 1000000", 0n],
    ]);
  });

  describe("where the plan has a minimum", () => {
    const committed = (minimumAmount: string, currency = "USD") => ({ ...plan, currency, minimumAmount });
    const trueUps = async (of: typeof plan, kind: InvoiceKind = InvoiceKind.IN_ARREARS) => {
      const lines = await draftLines(of, kind, ({ key }) => [usage[key] ?? none]);
      return lines.filter((line) => line.priceKey === "minimum");
    };

    test("has a line for what is missing to it, in arrears", async () => {
      const [line, ...others] = await trueUps(committed("100.00"));
      expect(others).toEqual([]);
      expect(line).toMatchObject({
        metric: "",
        quantity: "1",
        amountMinor: 5711n, // 100.00 - 16.05 - 20.00 - 6.84
        exactAmount: "57.11",
        description: "pro: up to the minimum of 100",
        steps: [
          { amount: "100", description: "minimum of the plan" },
          { amount: "-42.89", description: "billed by the other lines" },
        ],
      });
      expect(await trueUps(committed("100.00"), InvoiceKind.IN_ADVANCE)).toEqual([]);
    });

    test.each<[string, string, bigint[]]>([
      ["0", "USD", []],
      ["42.89", "USD", []],
      ["42.894", "USD", []],
      ["42.895", "USD", [1n]],
      ["42.90", "USD", [1n]],
      ["1000", "JPY", [957n]], // 16, 20 and 7 are billed
      ["42.892", "KWD", [1n]], // 16.051, 20.000 and 6.840 are billed
    ])("a minimum of %s %s adds %s", async (minimum, currency, amounts) => {
      expect((await trueUps(committed(minimum, currency))).map((line) => line.amountMinor)).toEqual(amounts);
    });

    test("comes to at least the rounded minimum, and to no more than it where a line was added", async () => {
      const cents = fc.bigInt({ min: 0n, max: 10_000n });
      await fc.assert(
        fc.asyncProperty(cents, cents, fc.constantFrom("JPY", "USD", "KWD"), async (minimum, used, currency) => {
          const of = { ...committed(fromMinor(minimum, currency), currency), prices: plan.prices.slice(1, 2) };
          const lines = await draftLines(of, InvoiceKind.IN_ARREARS, () => [{ quantity: `${used}`, unit: "" }]);
          const total = lines.reduce((sum, line) => sum + line.amountMinor, 0n);
          const billed = lines[0]?.amountMinor ?? 0n;
          expect(total).toBe(billed > minimum ? billed : minimum);
        }),
      );
    });
  });

  test("counts packages after what is included, and shows the whole quantity", async () => {
    const price = { key: "egress", metric: "M", package: { size: "100", amount: "5" }, includedQuantity: "100" };
    expect(await words(price, "201")).toBe("egress: 2 packages of 100");
    expect(await words(price, "100")).toBe("egress: 0 packages of 100");
  });

  test.each<[string, JsonObject, string, string]>([
    ["calls: 1 unit", { key: "calls", perUnit: { unitAmount: "1" } }, "1", ""],
    ["Calls: 1.5 units", { key: "calls", name: "Calls", perUnit: { unitAmount: "1" } }, "1.5", ""],
    ["Calls: 482 call", { key: "calls", name: "Calls", volume: { tiers: [{ unitAmount: "1" }] } }, "482", "call"],
    ["Calls: 482 call", { key: "calls", name: "Calls", graduated: { tiers: [{}] } }, "482", "call"],
    ["egress: 1 package of 1000", { key: "egress", package: { size: "1000", amount: "1" } }, "1", ""],
    ["egress: 2 packages of 1000 byte", { key: "egress", package: { size: "1000", amount: "1" } }, "1001", "byte"],
  ])("says %s", async (description, price, quantity, unit) => {
    expect(await words({ ...price, metric: "M" }, quantity, unit)).toBe(description);
  });
});

describe("a period that is a part of a full one", () => {
  const may = { start: new Date("2015-05-01T00:00:00Z"), end: new Date("2015-06-01T00:00:00Z") };
  const part = { start: new Date("2015-05-11T00:00:00Z"), end: may.end, of: may };
  const time = { ...part, seats: [{ start: part.start, end: part.end, quantity: 1 }] };
  const partly = fromJson(PlanSchema, {
    key: "pro",
    currency: "USD",
    minimumAmount: "310",
    prices: [
      { key: "least", metric: "M", minimumAmount: "31", perUnit: { unitAmount: "1" } },
      { key: "most", metric: "M", maximumAmount: "6.20", perUnit: { unitAmount: "1" } },
      { key: "tiers", metric: "M", graduated: { tiers: [{ upTo: "5", unitAmount: "1", flatAmount: "2" }, {}] } },
      { key: "fee", flat: { amount: "62" } },
    ],
  });

  test("owes its share of fees, minimum and maximum amounts, and all of what is of usage", async () => {
    const lines = await draftLines(partly, InvoiceKind.IN_ARREARS, () => [{ quantity: "7", unit: "" }], time);
    expect(lines.map(({ description, exactAmount }) => `${description}: ${exactAmount}`)).toEqual([
      "least: 7 units, 21 of 31 days: 21", // of 31
      "most: 7 units, 21 of 31 days: 4.2", // of 6.20
      "tiers: 7 units: 7", // 5 units at 1 and the tier's 2
      "fee, 21 of 31 days: 42", // of 62
      "pro: up to the minimum of 210, 21 of 31 days: 135.8", // of 310
    ]);
  });

  test("comes to the same with what is before it as the full one, where all is shared", async () => {
    const before = { ...part, start: may.start, end: part.start };
    const sum = async (of: PeriodPart) => {
      const seats = [{ start: of.start, end: of.end, quantity: 1 }];
      return totalOf(
        await draftLines(partly, InvoiceKind.IN_ARREARS, () => [{ quantity: "0", unit: "" }], { ...of, seats }),
      );
    };
    expect((await sum(before)) + (await sum(part))).toBe(await sum({ ...may, of: may }));
  });
});
