import { create } from "@bufbuild/protobuf";
import { DiscountSchema } from "../../gen/usageflow/v1/discount_pb.ts";
import { type EndDiscountRequest, EndDiscountResponseSchema } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { formatId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { getDiscount, openPeriod, toDiscount } from "./discount.ts";
import { getPlan } from "./plan.ts";
import { getSubscription } from "./subscription.ts";

/** Ends a discount with the open period of its subscription, or at once. An end that is earlier stands. */
export function endDiscount(app: App, caller: Caller, { id, atOnce }: EndDiscountRequest) {
  const { tenantId } = caller;
  return change(app, caller, EndDiscountResponseSchema, async (tx) => {
    const { subscription_id } = await getDiscount(tx, tenantId, id);
    // Its lock puts what happens to its discounts in order.
    const subscription = await getSubscription(tx, tenantId, formatId("sub", subscription_id), { forUpdate: true });
    const row = await getDiscount(tx, tenantId, id);
    noteBefore(tx, DiscountSchema, toDiscount(row));
    const plan = await getPlan(tx, tenantId, subscription.plan_key, subscription.plan_version);
    const open = openPeriod(subscription, plan, await tenantNow(tx, tenantId, app.clock));
    const end = atOnce || open.end < row.starts_at ? row.starts_at : open.end;
    if (row.ends_at === null || end < row.ends_at) {
      row.ends_at = end;
      await tx
        .updateTable("discount")
        .set({ ends_at: end })
        .where("tenant_id", "=", tenantId)
        .where("id", "=", row.id)
        .execute();
    }
    return create(EndDiscountResponseSchema, { discount: toDiscount(row) });
  });
}
