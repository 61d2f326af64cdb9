import type { App } from "../app.ts";
import { formatId, timeOfId } from "../id.ts";
import type { Facts } from "../observe/fact.ts";
import type { ClaimedDelivery } from "./claim-deliveries.ts";
import type { Settlement } from "./settle-deliveries.ts";

const RESULTS = { DELIVERED: "delivered", PENDING: "retried", FAILED: "given_up" } as const;

/** Which delivery it is about. */
export function deliveryFacts(delivery: ClaimedDelivery): Facts {
  return {
    tenant_id: formatId("ten", delivery.tenant_id),
    endpoint_id: formatId("whe", delivery.endpoint_id),
    delivery_id: formatId("whd", delivery.id),
    event_id: formatId("evt", delivery.event_id),
    type: delivery.type,
    attempt: delivery.attempt_count + 1,
  };
}

/** All that may be told of an attempt. Of the receiver's answer its status, and of its URL nothing. */
export function attemptFacts(delivery: ClaimedDelivery, made: Settlement): Facts {
  const ms = (us: number | null) => (us === null ? undefined : us / 1_000);
  return {
    ...deliveryFacts(delivery),
    result: RESULTS[made.state],
    status: made.status,
    duration_ms: made.duration_us / 1_000,
    resolve_ms: ms(made.resolve_us),
    connect_ms: ms(made.connect_us),
    first_byte_ms: ms(made.first_byte_us),
    error_kind: made.error_kind || undefined,
    error: made.error || undefined,
    next_attempt_at: made.next_attempt_at?.toISOString(),
    in_lane: delivery.in_lane || undefined,
    by_hand: delivery.by_hand || undefined,
    trace_id: made.trace_id,
  };
}

/** Tells the metrics of an attempt that began at a time, in milliseconds since 1970. */
export function noteAttempt({ observer }: App, delivery: ClaimedDelivery, made: Settlement, startedAt: number): void {
  if (!observer.metering) return;
  const status_class = made.status === 0 ? "none" : `${Math.floor(made.status / 100)}xx`;
  const labels = { result: RESULTS[made.state], status_class };
  observer.record("usageflow_delivery_attempt_duration_seconds", labels, made.duration_us / 1e6);
  if (delivery.recovered) observer.count("usageflow_delivery_leases_recovered_total", {});
  if (delivery.attempt_count > 0 || delivery.in_lane || delivery.by_hand) return; // it waited for something else
  const before = ((made.resolve_us ?? 0) + (made.connect_us ?? 0)) / 1_000;
  const seconds = (startedAt + before - timeOfId(delivery.event_id).getTime()) / 1_000;
  observer.record("usageflow_delivery_first_byte_seconds", {}, Math.max(0, seconds)); // another machine's clock made the id
}
