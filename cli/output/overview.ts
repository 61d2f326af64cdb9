import { type Duration, durationMs, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { OpenRevenue } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { GetUsageRateResponse } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { GetDeliveryActivityResponse } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { facts } from "./table.ts";
import { count, money, time } from "./text.ts";

/** How a tenant stands: what comes in, what it is worth, how it goes out, and what waits. */
export interface Overview {
  rate: GetUsageRateResponse;
  activity: GetDeliveryActivityResponse;
  revenues: readonly OpenRevenue[];
}

/** The same for people. */
export function overviewText({ rate, activity, revenues }: Overview): string {
  const inHour = rate.minutes.reduce((sum, { eventCount }) => sum + eventCount, 0n);
  const inMinute = rate.minutes.at(-2)?.eventCount ?? 0n;
  return facts({
    Usage: `${count(inHour, "event")} in the last hour, ${inMinute.toLocaleString("en")} in the last full minute`,
    Counting: lag(rate.at, rate.progress?.completeUntil, count(rate.pendingEventCount, "event")),
    "Open periods": revenues.map(revenueText).join(", ") || "none",
    Webhooks: attemptsText(activity),
    Took: activity.durationP50 ? `p50 ${ms(activity.durationP50)}, p99 ${ms(activity.durationP99)}` : "",
    Pending: upTo(activity.pendingCount, "delivery", "deliveries"),
    Sending: lag(activity.at, activity.dueSince, ""),
    Dispatching: lag(activity.at, activity.undispatchedSince, upTo(activity.undispatchedCount, "event", "events")),
  });
}

function revenueText({ amountMinor, currency, subscriptionCount }: OpenRevenue): string {
  return `${money(amountMinor, currency)} of ${count(subscriptionCount, "subscription")}`;
}

function attemptsText({ successCount, refusedCount, unansweredCount, since }: GetDeliveryActivityResponse): string {
  const sum = successCount + refusedCount + unansweredCount;
  if (sum === 0n) return "nothing was sent in the last hour";
  const parts = [`${successCount.toLocaleString("en")} of ${count(sum, "attempt")} taken`];
  if (refusedCount > 0n) parts.push(`${refusedCount.toLocaleString("en")} refused`);
  if (unansweredCount > 0n) parts.push(`${unansweredCount.toLocaleString("en")} not answered`);
  return `${parts.join(", ")}, since ${time(since)} UTC`;
}

function lag(at: Timestamp | undefined, since: Timestamp | undefined, what: string): string {
  if (!at || !since) return "up to date";
  const seconds = Math.max(0, (timestampMs(at) - timestampMs(since)) / 1_000).toFixed(1);
  return `${seconds} s behind${what && `, ${what}`}`;
}

// The server counts so far, and one more.
const COUNTED_MAX = 10_000n;

/** A count of what waits; what is not counted to its end is said to be more. */
export function upTo(n: bigint, one: string, many: string): string {
  if (n > COUNTED_MAX) return `more than ${COUNTED_MAX.toLocaleString("en")} ${many}`;
  return `${n.toLocaleString("en")} ${n === 1n ? one : many}`;
}

function ms(duration: Duration | undefined): string {
  return duration ? `${durationMs(duration)} ms` : "";
}
