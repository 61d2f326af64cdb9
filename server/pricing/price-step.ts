import { create } from "@bufbuild/protobuf";
import { type InvoiceLineStep, InvoiceLineStepSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { type Decimal, decimal, plain, zero } from "../money.ts";

export const one: Decimal = decimal("1");

/** One part of an amount: a quantity at a price. */
export function step(quantity: Decimal, unitAmount: Decimal, description: string): InvoiceLineStep {
  return create(InvoiceLineStepSchema, {
    quantity: plain(quantity),
    unitAmount: plain(unitAmount),
    amount: plain(quantity.times(unitAmount)),
    description,
  });
}

/** What parts come to together. */
export function sumOf(steps: readonly InvoiceLineStep[]): Decimal {
  return steps.reduce((total, { amount }) => total.plus(decimal(amount)), zero);
}
