import { Period } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Tx } from "../db/database.ts";
import { tenantTimeZone } from "../tenant/time-zone.ts";
import { type Cadence, periodAt } from "./billing-period.ts";
import { getPlan } from "./plan.ts";
import { cadenceOf } from "./subscription.ts";

/** The first boundary of periods after a time: those of a customer's subscription, as far as it has just one. */
export async function periodEdges(tx: Tx, tenantId: string, customerId: string): Promise<(time: Date) => Date> {
  const cadence = await cadenceFor(tx, tenantId, customerId);
  return (time) => periodAt(cadence, time).end;
}

/** All customers together, and one with no subscription that goes on or with several, have the tenant's months. */
async function cadenceFor(tx: Tx, tenantId: string, customerId: string): Promise<Cadence> {
  const running = await tx
    .selectFrom("subscription")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("customer_id", "=", customerId)
    .where("due_at", "is not", null)
    .limit(2)
    .execute();
  const [only] = running;
  if (only && running.length === 1) {
    return cadenceOf(only, await getPlan(tx, tenantId, only.plan_key, only.plan_version));
  }
  return { period: Period.MONTHLY, timeZone: await tenantTimeZone(tx, tenantId), anchor: null };
}
