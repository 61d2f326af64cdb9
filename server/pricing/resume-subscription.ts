import { create } from "@bufbuild/protobuf";
import { SubscriptionSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type ResumeSubscriptionRequest,
  ResumeSubscriptionResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { stateConflict } from "../rpc/errors.ts";
import { holdDue, makeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { getPlan } from "./plan.ts";
import { beginPeriod, getSubscription, type SubscriptionRow, toSubscription } from "./subscription.ts";

/** Takes back the end of a subscription that has not come. */
export function resumeSubscription(app: App, caller: Caller, request: ResumeSubscriptionRequest) {
  const { tenantId } = caller;
  return change(app, caller, ResumeSubscriptionResponseSchema, async (tx) => {
    await holdDue(tx, tenantId, "CLOSE_PERIODS");
    const row = await getSubscription(tx, tenantId, request.id, { forUpdate: true });
    noteBefore(tx, SubscriptionSchema, toSubscription(row));
    const now = await tenantNow(tx, tenantId, app.clock);
    if (row.ends_at && (row.due_at === null || row.ends_at <= now)) {
      throw stateConflict(`subscription "${request.id}" ended at ${row.ends_at.toISOString()}; start another one`);
    }
    const goesOn = await withPeriod(tx, { ...row, ends_at: null });
    await tx
      .updateTable("subscription")
      .set({ ends_at: null, period_end: goesOn.period_end, due_at: goesOn.due_at })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", row.id)
      .execute();
    await makeDue(tx, tenantId, "CLOSE_PERIODS", goesOn.due_at);
    return create(ResumeSubscriptionResponseSchema, { subscription: toSubscription(goesOn) });
  });
}

/** One that was to end with its trial gets back its first period, which was empty. */
async function withPeriod(tx: Tx, row: SubscriptionRow): Promise<SubscriptionRow> {
  if (row.period_start < row.period_end) return row;
  const plan = await getPlan(tx, row.tenant_id, row.plan_key, row.plan_version);
  return beginPeriod(row, plan, plan, row.period_start);
}
