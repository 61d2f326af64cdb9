import { create } from "@bufbuild/protobuf";
import { InvoiceKind, type InvoiceLine, InvoiceLineSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Plan, Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, plain } from "../money.ts";
import { isInAdvance } from "../pricing/plan.ts";
import { type Rating, rate } from "../pricing/rate.ts";

/** What was used of a price's metric in the period. */
export interface Usage {
  /** A decimal. */
  quantity: string;
  /** What one is called, such as `byte`. May be empty. */
  unit: string;
}

/** The prices that an invoice of a kind bills, in the order of the plan. */
export function billedPrices(plan: Plan, kind: InvoiceKind): Price[] {
  return plan.prices.filter((price) => isInAdvance(price) === (kind === InvoiceKind.IN_ADVANCE));
}

/** The lines of an invoice: one for each price that it bills, also where nothing is owed. */
export function draftLines(plan: Plan, kind: InvoiceKind, usageOf: (price: Price) => Usage): InvoiceLine[] {
  return billedPrices(plan, kind).map((price) => {
    const usage = price.metric ? usageOf(price) : { quantity: "1", unit: "" };
    const rating = rate(price, decimal(usage.quantity), plan.currency);
    return create(InvoiceLineSchema, {
      priceKey: price.key,
      metric: price.metric,
      quantity: usage.quantity,
      amountMinor: rating.amountMinor,
      description: describe(price, usage.quantity, usage.unit, rating),
      exactAmount: plain(rating.exact),
      steps: rating.steps,
    });
  });
}

/** Such as `API calls: 482 units`, `Egress: 76 packages of 1000000 byte`, `Platform fee`. */
function describe(price: Price, quantity: string, unit: string, { steps }: Rating): string {
  const name = price.name || price.key;
  const { model } = price;
  if (model.case === "flat") return name;
  if (model.case !== "package") return `${name}: ${quantity} ${unit || plural(quantity, "unit")}`;
  const packages = steps[0]?.quantity ?? "0";
  const size = unit ? `${model.value.size} ${unit}` : model.value.size;
  return `${name}: ${packages} ${plural(packages, "package")} of ${size}`;
}

function plural(count: string, noun: string): string {
  return count === "1" ? noun : `${noun}s`;
}
