import { create } from "@bufbuild/protobuf";
import {
  type EndSubscriptionRequest,
  EndSubscriptionResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { holdDue, makeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { periodAt } from "./billing-period.ts";
import { getPlan } from "./plan.ts";
import { cadenceOf, getSubscription, type SubscriptionRow, toSubscription } from "./subscription.ts";

/** Ends a subscription at the end of its open period, which is still invoiced; in a trial at the trial's end. */
export function endSubscription(app: App, caller: Caller, request: EndSubscriptionRequest) {
  const { tenantId } = caller;
  return change(app, caller, EndSubscriptionResponseSchema, async (tx) => {
    await holdDue(tx, tenantId, "CLOSE_PERIODS"); // before the row, as workers do: else each may wait for the other
    const row = await getSubscription(tx, tenantId, request.id, { forUpdate: true });
    if (!row.ends_at) {
      const now = await tenantNow(tx, tenantId, app.clock);
      Object.assign(row, isInTrial(row, now) ? endWithTrial(row.period_start) : await endWithPeriod(tx, row, now));
      await tx
        .updateTable("subscription")
        .set({ ends_at: row.ends_at, period_end: row.period_end, due_at: row.due_at })
        .where("tenant_id", "=", tenantId)
        .where("id", "=", row.id)
        .execute();
      await makeDue(tx, tenantId, "CLOSE_PERIODS", row.due_at);
    }
    return create(EndSubscriptionResponseSchema, { subscription: toSubscription(row) });
  });
}

function isInTrial({ trial_ends_at }: SubscriptionRow, now: Date): boolean {
  return trial_ends_at !== null && now < trial_ends_at;
}

/** Its first period is empty then, and no invoice is made of it. */
function endWithTrial(trialEnd: Date) {
  return { ends_at: trialEnd, period_end: trialEnd, due_at: trialEnd };
}

/** By the clock and not by the row's period: the workers may be some periods behind. */
async function endWithPeriod(tx: Tx, row: SubscriptionRow, now: Date) {
  const plan = await getPlan(tx, row.tenant_id, row.plan_key, row.plan_version);
  return { ends_at: periodAt(cadenceOf(row, plan), row.period_start > now ? row.period_start : now).end };
}
