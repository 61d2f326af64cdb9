import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { InvoiceKind } from "../../gen/usageflow/v1/invoice_pb.ts";
import { PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { draftLines } from "../../server/invoice/draft-lines.ts";

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
  return draftLines(plan, kind, ({ key }) => used[key] ?? none);
}

/** The line of one price, in words. */
function words(price: JsonObject, quantity: string, unit = ""): string | undefined {
  const one = fromJson(PlanSchema, { key: "p", currency: "USD", prices: [price] });
  return draftLines(one, InvoiceKind.IN_ARREARS, () => ({ quantity, unit }))[0]?.description;
}

describe("draftLines", () => {
  test("has what is billed when a period has ended, in the order of the plan", () => {
    expect(linesOf(InvoiceKind.IN_ARREARS)).toMatchObject([
      { priceKey: "calls", metric: "API_CALL", quantity: "482", amountMinor: 1605n, exactAmount: "16.0506" },
      { priceKey: "base", metric: "", quantity: "1", amountMinor: 2000n, exactAmount: "20" },
      { priceKey: "egress", metric: "BYTES", quantity: "75000001", amountMinor: 684n, exactAmount: "6.84" },
    ]);
  });

  test("has what is billed when a period begins, and no usage", () => {
    expect(linesOf(InvoiceKind.IN_ADVANCE)).toMatchObject([
      { priceKey: "seat", quantity: "1", amountMinor: 1000n, exactAmount: "9.999", description: "Licence" },
    ]);
  });

  test("has a line where nothing was used", () => {
    const lines = linesOf(InvoiceKind.IN_ARREARS, {});
    expect(lines.map((line) => [line.description, line.amountMinor])).toEqual([
      ["API calls: 0 units", 0n],
      ["base", 2000n],
      ["Egress: 0 packages of 1000000", 0n],
    ]);
  });

  test.each<[string, JsonObject, string, string]>([
    ["calls: 1 unit", { key: "calls", perUnit: { unitAmount: "1" } }, "1", ""],
    ["Calls: 1.5 units", { key: "calls", name: "Calls", perUnit: { unitAmount: "1" } }, "1.5", ""],
    ["Calls: 482 call", { key: "calls", name: "Calls", volume: { tiers: [{ unitAmount: "1" }] } }, "482", "call"],
    ["Calls: 482 call", { key: "calls", name: "Calls", graduated: { tiers: [{}] } }, "482", "call"],
    ["egress: 1 package of 1000", { key: "egress", package: { size: "1000", amount: "1" } }, "1", ""],
    ["egress: 2 packages of 1000 byte", { key: "egress", package: { size: "1000", amount: "1" } }, "1001", "byte"],
  ])("says %s", (description, price, quantity, unit) => {
    expect(words({ ...price, metric: "M" }, quantity, unit)).toBe(description);
  });
});
