import type { Discount } from "../../gen/usageflow/v1/discount_pb.ts";
import { type Column, facts } from "./table.ts";
import { time } from "./text.ts";

/** A discount as a row of a list. */
export const discountColumns: Column<Discount>[] = [
  { title: "DISCOUNT", value: (discount) => discount.id },
  { title: "SUBSCRIPTION", value: (discount) => discount.subscriptionId, spare: true },
  { title: "NAME", value: (discount) => discount.name, cut: true },
  { title: "OFF", value: offText, right: true },
  { title: "FROM", value: (discount) => time(discount.startsAt) },
  { title: "UNTIL", value: (discount) => time(discount.endsAt) },
];

/** A discount in full. */
export function discountText(discount: Discount): string {
  return facts({
    Discount: discount.id,
    Subscription: discount.subscriptionId,
    Name: discount.name,
    Off: offText(discount),
    From: `periods that begin at ${time(discount.startsAt)} or later`,
    Until: discount.endsAt ? `periods that begin before ${time(discount.endsAt)}` : "it is ended",
  });
}

function offText({ percent, amount, currency }: Discount): string {
  return percent ? `${percent}%` : `${amount} ${currency}`;
}
