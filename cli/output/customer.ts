import type { Customer } from "../../gen/usageflow/v1/tenant_pb.ts";
import { daysText, partyFacts } from "./party.ts";
import { facts } from "./table.ts";
import { time } from "./text.ts";

/** A customer in full. */
export function customerText({ id, name, createdAt, billing }: Customer): string {
  return facts({
    Customer: id,
    Name: name,
    "First seen": time(createdAt),
    ...partyFacts("Buyer", billing?.buyer),
    "Purchase order": billing?.purchaseOrder ?? "",
    "Payment terms": daysText(billing?.paymentTermsDays),
  });
}
