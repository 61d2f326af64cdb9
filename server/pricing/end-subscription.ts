import { create } from "@bufbuild/protobuf";
import {
  type EndSubscriptionRequest,
  EndSubscriptionResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { periodAt } from "./billing-period.ts";
import { getPlan } from "./plan.ts";
import { cadenceOf, getSubscription, toSubscription } from "./subscription.ts";

/** Ends a subscription at the end of its open period, which is still invoiced. */
export function endSubscription(app: App, caller: Caller, request: EndSubscriptionRequest) {
  const { tenantId } = caller;
  return change(app, caller, EndSubscriptionResponseSchema, async (tx) => {
    const row = await getSubscription(tx, tenantId, request.id, { forUpdate: true });
    if (!row.ends_at) {
      // By the clock and not by the row's period: the workers may be some periods behind.
      const now = await tenantNow(tx, tenantId, app.clock);
      const plan = await getPlan(tx, tenantId, row.plan_key, row.plan_version);
      row.ends_at = periodAt(cadenceOf(row, plan), row.period_start > now ? row.period_start : now).end;
      await tx
        .updateTable("subscription")
        .set({ ends_at: row.ends_at })
        .where("tenant_id", "=", tenantId)
        .where("id", "=", row.id)
        .execute();
    }
    return create(EndSubscriptionResponseSchema, { subscription: toSubscription(row) });
  });
}
