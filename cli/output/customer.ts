import type { Customer, TaxRate } from "../../gen/usageflow/v1/tenant_pb.ts";
import { facts } from "./table.ts";
import { time } from "./text.ts";

/** A customer in full. */
export function customerText(customer: Customer): string {
  return facts({
    Customer: customer.id,
    Name: customer.name,
    "First seen": time(customer.createdAt),
    Tax: customer.taxRates.map(rateText).join(", "),
  });
}

function rateText({ name, percent, inclusive }: TaxRate): string {
  return `${name} ${percent}%${inclusive ? " (in the amounts)" : ""}`;
}
