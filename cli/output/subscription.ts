import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Subscription } from "../../gen/usageflow/v1/pricing_pb.ts";
import { facts } from "./table.ts";
import { count, timeIn } from "./text.ts";

/** A subscription in full. Its times are those of its time zone. */
export function subscriptionText(subscription: Subscription): string {
  const { plan, planVersion, quantity, startedAt, trialEndsAt, periodStart, periodEnd, endsAt, timeZone } =
    subscription;
  const time = (at: Timestamp | undefined) => timeIn(timeZone, at);
  return facts({
    Subscription: subscription.id,
    Customer: subscription.customerId,
    Plan: planText(plan, planVersion),
    Seats: String(quantity),
    Started: time(startedAt),
    "Trial until": time(trialEndsAt),
    Period: time(periodStart) === time(periodEnd) ? "" : `${time(periodStart)} to ${time(periodEnd)}`,
    Then: nextText(subscription),
    Ends: time(endsAt),
    "Time zone": timeZone,
  });
}

/** What comes when the period ends: such as `team, version 2, with 5 seats`. */
function nextText({ nextPlan, nextPlanVersion, nextQuantity }: Subscription): string {
  const plan = nextPlan ? [planText(nextPlan, nextPlanVersion)] : [];
  const seats = nextQuantity > 0 ? [count(nextQuantity, "seat")] : [];
  return [...plan, ...seats].join(", with ");
}

function planText(key: string, version: number): string {
  return `${key}, version ${version}`;
}
