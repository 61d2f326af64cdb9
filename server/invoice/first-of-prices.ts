import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { cutByWeight } from "../cut-by-weight.ts";
import type { PlanRef } from "../pricing/plan.ts";

// Prices that are worked out in one transaction: while it lasts, its tenant's usage and others' billing wait.
const PRICES_MAX = 5_000;

/** The first of those that are due, as many as have few enough prices together to be billed at once; one at least. */
export function firstOfPrices<Due extends PlanRef>(due: readonly Due[], planOf: (ref: PlanRef) => Plan): Due[] {
  return cutByWeight(due, PRICES_MAX, (one) => planOf(one).prices.length)[0] ?? [];
}
