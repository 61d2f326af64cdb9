import { hostname } from "node:os";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { formatId } from "../id.ts";
import { formatTraceparent, traceFrom } from "../observe/trace.ts";
import { attemptFacts, noteAttempt } from "./attempt-facts.ts";
import type { ClaimedDelivery } from "./claim-deliveries.ts";
import { retryAfterMs } from "./retry-after.ts";
import { nextDelayMs } from "./retry-schedule.ts";
import type { Settlement } from "./settle-deliveries.ts";
import type { Target } from "./target.ts";
import type { Post } from "./webhook-client.ts";

const WORKER = `${hostname()} ${process.pid}`;

/** Sends a delivery once, and answers what that came to: it was taken, is tried again, or is given up. */
export async function attempt(app: App, post: Post, delivery: ClaimedDelivery, target: Target): Promise<Settlement> {
  const sentAt = app.clock.now();
  const { headers, body } = messageOf(delivery, target, sentAt);
  const startedAt = performance.timeOrigin + performance.now();
  const span = app.observer.begin("delivery.attempt", { parent: traceFrom(delivery.trace), startedAt });
  if (span.trace) headers.traceparent = formatTraceparent(span.trace);
  const outcome = await post(target.url, headers, body);
  const now = app.clock.now();
  const { failure } = outcome;
  const attempted = {
    tenant_id: delivery.tenant_id,
    id: delivery.id,
    lease_token: delivery.lease_token,
    endpoint_id: delivery.endpoint_id,
    endpoint_failing: delivery.endpoint_failing,
    in_lane: delivery.in_lane,
    retryAfterMs: failure && retryAfterMs(outcome.retryAfter, now, app.config.retryAfterMaxMs),
    sent_at: sentAt,
    duration_us: outcome.durationUs,
    resolve_us: outcome.resolveUs ?? null,
    connect_us: outcome.connectUs ?? null,
    first_byte_us: outcome.firstByteUs ?? null,
    status: outcome.status,
    error: failure?.words ?? "",
    error_kind: failure?.kind ?? ("" as const),
    response_headers: outcome.responseHeaders,
    response_body: outcome.responseBody,
    worker: WORKER,
    trace_id: span.trace?.traceId,
  };
  const settlement = { ...attempted, ...whatFollows(app, delivery, attempted, now) };
  span.end(span.trace?.sampled ? attemptFacts(delivery, settlement) : undefined, failure !== undefined);
  noteAttempt(app, delivery, settlement, startedAt);
  return settlement;
}

/** What an attempt makes of its delivery. A wait that the receiver asked for can make the schedule's longer. */
export function whatFollows(
  app: App,
  before: Pick<ClaimedDelivery, "attempt_count" | "attempt_base">,
  { error, retryAfterMs: asked }: Pick<Settlement, "error" | "retryAfterMs">,
  now: Date,
): Pick<Settlement, "state" | "completed_at" | "next_attempt_at"> {
  if (error === "") return { state: "DELIVERED", completed_at: now, next_attempt_at: null };
  const counted = before.attempt_count + 1 - before.attempt_base;
  const delay = nextDelayMs(app.config.deliveryScheduleMs, counted, Math.random());
  if (delay === undefined) return { state: "FAILED", completed_at: now, next_attempt_at: null };
  return { state: "PENDING", completed_at: null, next_attempt_at: plusMs(now, Math.max(delay, asked ?? 0)) };
}

/** What makes up a message: the event, and its place among those of its endpoint. */
export type MessageFacts = Pick<ClaimedDelivery, "event_id" | "type" | "occurred_at" | "sequence" | "data">;

/** A message as it is sent at a time: its body, and the headers that are signed with it. */
export function messageOf(
  delivery: MessageFacts,
  target: Target,
  at: Date,
): { headers: Record<string, string>; body: Buffer } {
  const id = formatId("evt", delivery.event_id);
  const timestamp = Math.floor(at.getTime() / 1000);
  const body = Buffer.from(bodyOf(delivery));
  const headers = {
    ...target.headers(),
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": target.sign(at, id, timestamp, body),
  };
  return { headers, body };
}

/**
 * The contract's WebhookBody as proto3 JSON. The stored facts are in it as they stand, so every attempt sends the same
 * bytes, whatever later versions of the contract add.
 */
function bodyOf({ type, occurred_at, sequence, data }: MessageFacts): string {
  const timestamp = occurred_at.toISOString().replace(".000Z", "Z"); // as proto3 JSON has it
  return `{"type":${JSON.stringify(type)},"timestamp":"${timestamp}","sequence":"${sequence}","data":${data}}`;
}
