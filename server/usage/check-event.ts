import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { closest } from "fastest-levenshtein";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { type UsageEvent, UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { newId } from "../id.ts";
import { findBreach } from "../rpc/contract.ts";
import { readAmount } from "./amount.ts";
import type { TenantFacts } from "./tenant-facts.ts";
import { toMicroseconds } from "./usage-time.ts";

/** A row for `ingest_usage`. */
export interface UsageRow {
  tenantId: string;
  key: string;
  metric: string;
  customerId: string;
  amount: string;
  /** RFC 3339 with microseconds. */
  occurredAt: string;
  occurredAtSent: boolean;
  /** A JSON object. */
  properties: string;
}

/** Why an event is not stored. */
export interface Rejection {
  reason: ErrorReason;
  field: string;
  message: string;
}

const AHEAD_MAX_S = 5 * 60;
const NANOS_MAX = 999_999_999;

// To compare the names of a thousand events with those of a thousand metrics takes seconds, in which nobody is served.
const HINTS_MAX = 10;
const COMPARED_MAX = 100;
const hintsMade = new WeakMap<TenantFacts["metrics"], number>();

/** The row of an event, or why it is rejected. Pure: what it needs to know of the tenant is given. */
export function checkEvent(
  event: UsageEvent,
  tenant: TenantFacts,
  request: { tenantId: string; backfill: boolean },
): UsageRow | Rejection {
  const breach = isPlain(event) ? undefined : findBreach(UsageEventSchema, event);
  if (breach) return breach;
  const metric = tenant.metrics.get(event.metric);
  if (!metric) return unknownMetric(event.metric, tenant.metrics);

  const counts = metric.aggregation === "COUNT" || metric.aggregation === "UNIQUE";
  const signed = metric.aggregation === "WEIGHTED_SUM"; // its amounts are changes, and some go down
  const read = event.amount === "" && counts ? { amount: "1" } : readAmount(event.amount, { signed });
  if ("problem" in read) return reject(ErrorReason.INVALID_AMOUNT, "amount", read.problem);
  if (metric.uniqueProperty !== "" && !ownProperty(event.properties, metric.uniqueProperty)) {
    const field = `properties["${metric.uniqueProperty}"]`;
    return reject(ErrorReason.INVALID_FIELD, field, `is needed: ${event.metric} counts its different values`);
  }
  const untimely = event.occurredAt && checkTime(event.occurredAt, tenant, request.backfill);
  if (untimely) return untimely;

  return {
    tenantId: request.tenantId,
    key: event.idempotencyKey || newId(),
    metric: event.metric,
    customerId: event.customerId,
    amount: read.amount,
    occurredAt: event.occurredAt ? toMicroseconds(event.occurredAt) : tenant.now.toISOString(),
    occurredAtSent: event.occurredAt !== undefined,
    properties: JSON.stringify(event.properties),
  };
}

const PLAIN_TEXT = /^[ -~]{0,255}$/;
const PLAIN_KEY = /^[A-Za-z][A-Z_a-z]{0,63}$/;

/**
 * Whether an event surely keeps the contract: true for the usual ones, whose check by the contract's own rules costs as
 * much as the rest of this file. Never true for one that they refuse (test/usage/check-event.test.ts).
 */
export function isPlain(event: UsageEvent): boolean {
  return (
    PLAIN_KEY.test(event.metric) &&
    event.customerId !== "" &&
    PLAIN_TEXT.test(event.customerId) &&
    PLAIN_TEXT.test(event.idempotencyKey) &&
    event.amount.length <= 64 &&
    Object.keys(event.properties).length === 0
  );
}

function checkTime(time: Timestamp, tenant: TenantFacts, backfill: boolean): Rejection | undefined {
  if (time.nanos < 0 || time.nanos > NANOS_MAX) {
    return reject(ErrorReason.INVALID_FIELD, "occurred_at", "nanos must be 0 to 999,999,999");
  }
  const seconds = Number(time.seconds) + time.nanos / 1e9;
  const now = tenant.now.getTime() / 1_000;
  const clock = `the tenant's clock stands at ${tenant.now.toISOString()}`;
  if (seconds > now + AHEAD_MAX_S) {
    return reject(ErrorReason.TIME_AHEAD, "occurred_at", `is more than 5 minutes ahead: ${clock}`);
  }
  if (seconds < 0) return reject(ErrorReason.TIME_TOO_OLD, "occurred_at", "is before 1970");
  if (!backfill && seconds < now - tenant.backfillWindowS) {
    const days = tenant.backfillWindowS / 86_400;
    const message = `is older than the backfill window of ${days} days (${clock}); set backfill to record it all the same`;
    return reject(ErrorReason.TIME_TOO_OLD, "occurred_at", message);
  }
  return undefined;
}

function unknownMetric(key: string, metrics: TenantFacts["metrics"]): Rejection {
  return reject(ErrorReason.UNKNOWN_METRIC, "metric", `there is no metric "${key}": ${hintAt(key, metrics)}`);
}

/** What may have been meant. Names are compared for the first mistakes that are made with what was read, and no more. */
function hintAt(key: string, metrics: TenantFacts["metrics"]): string {
  if (metrics.size === 0) return "this tenant has none yet; push a catalog";
  const made = hintsMade.get(metrics) ?? 0;
  hintsMade.set(metrics, made + 1);
  const alike =
    made < HINTS_MAX
      ? metrics
          .keys()
          .filter((one) => isAlike(one, key))
          .take(COMPARED_MAX)
          .toArray()
      : [];
  return alike.length > 0 ? `did you mean ${closest(key, alike)}?` : `this tenant has ${metrics.size} others`;
}

function isAlike(one: string, other: string): boolean {
  return Math.abs(one.length - other.length) <= Math.max(3, other.length / 2);
}

/** A property's own value: an object has inherited ones too, such as `constructor`. */
function ownProperty(properties: Record<string, string>, key: string): string | undefined {
  return Object.hasOwn(properties, key) ? properties[key] : undefined;
}

function reject(reason: ErrorReason, field: string, message: string): Rejection {
  return { reason, field, message };
}
