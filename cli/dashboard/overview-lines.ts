import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { OpenRevenue } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { GetUsageRateResponse } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { GetDeliveryActivityResponse } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { bar } from "../output/bar.ts";
import { upTo } from "../output/overview.ts";
import { count, money } from "../output/text.ts";
import { type Color, type Line, line, lineOf } from "./line.ts";
import { columns, grouped } from "./sparkline.ts";
import { ago, digits, took } from "./words.ts";

const WAITING = line("…", { dim: true });
// What waits no longer than this is on its way.
const LAG_OK_MS = 10_000;
const HOUR_MS = 3_600_000;

/** How much usage comes in: the last full minute, the hour as columns, and its sum. */
export function rateLines(rate: GetUsageRateResponse | undefined, width: number, height: number): Line[] {
  if (!rate) return [WAITING];
  const counts = rate.minutes.map(({ eventCount }) => Number(eventCount));
  const full = rate.minutes.at(-2)?.eventCount ?? 0n;
  const sum = rate.minutes.reduce((total, { eventCount }) => total + eventCount, 0n);
  const chart = columns(grouped(counts, width), Math.max(1, height - 2));
  return [
    lineOf({ text: digits(String(full)), bold: true }, " events in the last full minute"),
    ...chart.map((text) => line(text.padStart(width), { color: "cyan" })),
    lineOf({ text: `${digits(String(sum))} in the last hour`, dim: true }),
  ];
}

/** What the open periods come to. */
export function revenueLines(revenues: readonly OpenRevenue[] | undefined, width: number): Line[] {
  if (!revenues) return [WAITING];
  if (revenues.length === 0) return [line("No subscription has an open period.", { dim: true })];
  const amounts = revenues.map(({ amountMinor, currency }) => {
    const [amount = "", code = ""] = money(amountMinor, currency).split(" ");
    return `${digits(amount)} ${code}`;
  });
  const right = Math.max(...amounts.map((text) => text.length));
  return revenues.map(({ subscriptionCount }, at) => {
    const of = count(subscriptionCount, "subscription");
    const amount = { text: (amounts[at] as string).padStart(right), bold: true };
    return right + of.length + 3 <= width ? lineOf(amount, { text: `   ${of}`, dim: true }) : lineOf(amount);
  });
}

/** What became of the attempts of the last hour. */
export function attemptLines(activity: GetDeliveryActivityResponse | undefined, width: number): Line[] {
  if (!activity) return [WAITING];
  const { successCount, refusedCount, unansweredCount, durationP50, durationP99 } = activity;
  const sum = successCount + refusedCount + unansweredCount;
  if (sum === 0n) return [line("Nothing was sent.", { dim: true })];
  const share = Number(successCount) / Number(sum);
  const color: Color = share >= 0.99 ? "green" : share >= 0.9 ? "yellow" : "red";
  return [
    lineOf({ text: `${percent(successCount, sum)} %`, bold: true, color }, ` of ${count(sum, "attempt")} were taken`),
    line(bar(share, Math.min(width, 40)), { color }),
    line(`${digits(String(refusedCount))} refused, ${digits(String(unansweredCount))} not answered`),
    lineOf({ text: "took  ", dim: true }, `p50 ${took(durationP50)}   p99 ${took(durationP99)}`),
  ];
}

/** Of which attempts the answer tells: those of the last hour, or of less where there were very many. */
export function attemptsTitle(activity: GetDeliveryActivityResponse | undefined): string {
  const { at, since } = activity ?? {};
  const spanMs = at && since ? timestampMs(at) - timestampMs(since) : HOUR_MS;
  return `Webhooks, last ${spanMs < HOUR_MS ? ago(spanMs, 0) : "hour"}`;
}

/** What waits for the workers. */
export function lagLines(
  rate: GetUsageRateResponse | undefined,
  activity: GetDeliveryActivityResponse | undefined,
): Line[] {
  if (!rate || !activity) return [WAITING];
  const { pendingCount, dueSince, undispatchedCount, undispatchedSince } = activity;
  return [
    lagLine(
      "counting usage",
      rate.progress?.completeUntil,
      rate.at,
      `${digits(String(rate.pendingEventCount))} events`,
    ),
    lagLine("making deliveries", undispatchedSince, activity.at, upTo(undispatchedCount, "event", "events")),
    lagLine("sending", dueSince, activity.at, ""),
    lineOf({ text: "pending".padEnd(NAME_WIDTH), dim: true }, upTo(pendingCount, "delivery", "deliveries")),
  ];
}

const NAME_WIDTH = 19;

type Time = Parameters<typeof ago>[1];

function lagLine(name: string, since: Time, at: Time, what: string): Line {
  const called = { text: name.padEnd(NAME_WIDTH), dim: true };
  if (since === undefined || typeof since === "number" || at === undefined || typeof at === "number") {
    return lineOf(called, { text: "up to date", color: "green" });
  }
  const lagMs = Math.max(0, timestampMs(at) - timestampMs(since));
  const color: Color = lagMs <= LAG_OK_MS ? "yellow" : "red";
  return lineOf(called, { text: `${ago(lagMs, 0)} behind`, color }, what === "" ? "" : `  ${what}`);
}

/** A part of a whole in percent, to one digit, and 100 only when it is all. */
export function percent(part: bigint, whole: bigint): string {
  if (part === whole) return "100";
  return (Number((part * 1_000n) / whole) / 10).toFixed(1);
}
