import type { Tx } from "../db/database.ts";
import { leaveNews } from "../usage/usage-watch.ts";
import type { SubscriptionRow } from "./subscription.ts";

// The life of a spend threshold:
//
//   set by a call ──▶ watched ──usage is folded, or another period opens──▶ looked at by CHECK_THRESHOLDS
//
// and once it is reached, it is told of and noted, and not looked at before the next period.

/** Who watches usage for spend thresholds. */
export const THRESHOLDS = "THRESHOLDS";

/** Has the thresholds of subscriptions looked at: they were set, or another period is open. */
export async function askThresholds(
  tx: Tx,
  tenantId: string,
  subscriptions: readonly SubscriptionRow[],
  now: Date,
): Promise<void> {
  const news = subscriptions
    .filter((subscription) => subscription.due_at !== null && subscription.spend_thresholds.length > 0)
    .map(({ customer_id, period_start }) => ({ watcher: THRESHOLDS, customer_id, first_hour: period_start }) as const);
  if (news.length > 0) await leaveNews(tx, tenantId, news, now);
}
