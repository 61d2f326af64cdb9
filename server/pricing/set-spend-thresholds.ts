import { create } from "@bufbuild/protobuf";
import { SubscriptionSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type SetSpendThresholdsRequest,
  SetSpendThresholdsResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { decimal, plain, zero } from "../money.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { invalid, stateConflict } from "../rpc/errors.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { lockProgress } from "../usage/usage-progress.ts";
import { watchUsage } from "../usage/usage-watch.ts";
import { askThresholds, THRESHOLDS } from "./spend-threshold.ts";
import { getSubscription, toSubscription } from "./subscription.ts";

/** Sets at which amounts of spending a subscription is told of. */
export function setSpendThresholds(app: App, caller: Caller, { id, amounts }: SetSpendThresholdsRequest) {
  const { tenantId } = caller;
  checkAmounts(amounts);
  return change(app, caller, SetSpendThresholdsResponseSchema, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    await lockProgress(tx, tenantId); // what is folded after this is heard of, what was before is looked at
    const found = await getSubscription(tx, tenantId, id, { forUpdate: true });
    noteBefore(tx, SubscriptionSchema, toSubscription(found));
    const row = await tx
      .updateTable("subscription")
      .set({ spend_thresholds: amounts.map((amount) => plain(decimal(amount))) })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", found.id)
      .where("due_at", "is not", null)
      .returningAll()
      .executeTakeFirst();
    if (!row) throw stateConflict(`subscription "${id}" is over, and all is invoiced`);
    if (amounts.length > 0) {
      await watchUsage(tx, tenantId, THRESHOLDS, [{ customerId: row.customer_id, until: "infinity" }]);
      await askThresholds(tx, tenantId, [row], now);
    }
    return create(SetSpendThresholdsResponseSchema, { subscription: toSubscription(row) });
  });
}

function checkAmounts(amounts: readonly string[]): void {
  let last = zero;
  for (const [i, text] of amounts.entries()) {
    const amount = decimal(text);
    if (amount.lte(last)) {
      throw invalid(`amounts[${i}]`, `thresholds must grow from more than 0: ${text} comes after ${plain(last)}`);
    }
    last = amount;
  }
}
