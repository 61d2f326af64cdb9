import { UsageOutcome, type UsageResult } from "../../gen/usageflow/v1/usage_pb.ts";
import type { App } from "../app.ts";
import type { CallRecord } from "../rpc/call-record.ts";

const NAMES: Record<UsageOutcome, "accepted" | "duplicate" | "conflict" | "rejected" | undefined> = {
  [UsageOutcome.UNSPECIFIED]: undefined,
  [UsageOutcome.ACCEPTED]: "accepted",
  [UsageOutcome.DUPLICATE]: "duplicate",
  [UsageOutcome.CONFLICT]: "conflict",
  [UsageOutcome.REJECTED]: "rejected",
};

/** Tells what became of the events of a call: its record, and the metrics. */
export function noteOutcomes({ observer }: App, record: CallRecord | undefined, results: readonly UsageResult[]): void {
  const counts: { -readonly [Name in NonNullable<(typeof NAMES)[UsageOutcome]>]?: number } = {};
  for (const { outcome } of results) {
    const name = NAMES[outcome];
    if (name) counts[name] = (counts[name] ?? 0) + 1;
  }
  record?.note({ events: results.length, ...counts });
  for (const [outcome, count] of Object.entries(counts))
    observer.count("usageflow_usage_events_total", { outcome }, count);
}
