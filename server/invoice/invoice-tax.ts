import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type InvoiceTax, InvoiceTaxSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { TaxRate } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type Decimal, decimal, fromMinor, toMinor, zero } from "../money.ts";

// The contract's limit of a percent: so many digits after the point.
const PERCENT_SCALE = decimal("1e18");

/** A tax, as what it is worked out from. */
export type Rate = Pick<TaxRate, "name" | "percent" | "inclusive">;

/**
 * What rates come to on an amount, in their order: what it contains of the inclusive ones; and what the others add to what
 * is left without those. Each is rounded by itself.
 */
export function taxesOn(amountMinor: bigint, rates: readonly Rate[], currency: string): InvoiceTax[] {
  const contained = rates.filter((rate) => rate.inclusive).reduce((sum, rate) => sum.plus(decimal(rate.percent)), zero);
  const inclusive = (rate: Rate) => containedMinor(amountMinor, decimal(rate.percent), contained);
  const baseMinor = rates.filter((rate) => rate.inclusive).reduce((rest, rate) => rest - inclusive(rate), amountMinor);
  return rates.map((rate) =>
    create(InvoiceTaxSchema, {
      name: rate.name,
      percent: rate.percent,
      inclusive: rate.inclusive,
      baseMinor,
      amountMinor: rate.inclusive ? inclusive(rate) : addedMinor(baseMinor, rate.percent, currency),
    }),
  );
}

/** A percent as the factor that it is. */
export function fractionOf(percent: string): Decimal {
  return decimal(percent).times(decimal("0.01"));
}

/** The taxes as a document keeps them. */
export function taxesToJson(taxes: readonly InvoiceTax[]): JsonValue[] {
  return taxes.map((tax) => toJson(InvoiceTaxSchema, tax));
}

/** The taxes that a document keeps: none for a draft, which has no document. */
export function taxesFromJson(json: unknown): InvoiceTax[] {
  return ((json ?? []) as JsonValue[]).map((tax) => fromJson(InvoiceTaxSchema, tax));
}

function addedMinor(baseMinor: bigint, percent: string, currency: string): bigint {
  return toMinor(decimal(fromMinor(baseMinor, currency)).times(fractionOf(percent)), currency);
}

/**
 * The tax that an amount contains, rounded half away from zero. Whole numbers only: a quotient has no last digit, and one
 * that was cut first could be rounded to the wrong side.
 */
function containedMinor(amountMinor: bigint, percent: Decimal, contained: Decimal): bigint {
  const numerator = amountMinor * scaled(percent);
  const denominator = scaled(contained.plus(decimal("100")));
  const size = numerator < 0n ? -numerator : numerator;
  const rounded = (2n * size + denominator) / (2n * denominator);
  return numerator < 0n ? -rounded : rounded;
}

function scaled(value: Decimal): bigint {
  return BigInt(value.times(PERCENT_SCALE).toFixed(0));
}
