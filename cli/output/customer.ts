import type { Customer, TaxRate } from "../../gen/usageflow/v1/tenant_pb.ts";
import { daysText, partyFacts } from "./party.ts";
import { facts } from "./table.ts";
import { time } from "./text.ts";

/** A customer in full. */
export function customerText({ id, name, createdAt, taxRates, billing, erasedAt, erasing }: Customer): string {
  return facts({
    Customer: id,
    Name: name,
    "First seen": time(createdAt),
    Tax: taxRates.map(rateText).join(", "),
    ...partyFacts("Buyer", billing?.buyer),
    "Purchase order": billing?.purchaseOrder ?? "",
    "Payment terms": daysText(billing?.paymentTermsDays),
    Erased: erasedAt ? `${time(erasedAt)}${erasing ? ", and copies are being looked for" : ""}` : "",
  });
}

function rateText({ name, percent, inclusive }: TaxRate): string {
  return `${name} ${percent}%${inclusive ? " (in the amounts)" : ""}`;
}
