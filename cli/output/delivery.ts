import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import {
  type Attempt,
  AttemptErrorKind,
  AttemptErrorKindSchema,
  type Delivery,
  DeliveryStateSchema,
} from "../../gen/usageflow/v1/webhook_pb.ts";
import { facts } from "./table.ts";
import { moment, word } from "./text.ts";

/** A delivery in full: each attempt, where its time went, and what was answered. */
export function deliveryText(delivery: Delivery): string {
  const head = facts({
    Delivery: delivery.id,
    Event: `${delivery.eventType} ${delivery.eventId}`,
    Endpoint: delivery.endpointId,
    State: deliveryState(delivery),
    Made: moment(delivery.createdAt),
    "Next attempt": moment(delivery.nextAttemptAt),
    "Held by": delivery.heldBy,
    Completed: moment(delivery.completedAt),
  });
  return [head, ...delivery.attempts.map(attemptText)].join("\n\n");
}

/** Where a delivery stands, in a word or two. */
export function deliveryState({ state, heldBy }: Delivery): string {
  return `${word(DeliveryStateSchema, state)}${heldBy ? ", held" : ""}`;
}

const ANSWER_SHOWN_MAX = 200;

function attemptText(attempt: Attempt): string {
  const headers = Object.entries(attempt.responseHeaders).map(([name, value]) => `${name}: ${value}`);
  return facts({
    [`Attempt ${attempt.number}`]: moment(attempt.sentAt),
    Status: String(attempt.status || "no answer"),
    Error: attempt.error,
    Kind: attempt.errorKind === AttemptErrorKind.UNSPECIFIED ? "" : word(AttemptErrorKindSchema, attempt.errorKind),
    Took: timing(attempt),
    Headers: headers.join("; ").slice(0, ANSWER_SHOWN_MAX),
    Answer: attempt.responseBody.slice(0, ANSWER_SHOWN_MAX),
    "Sent by": attempt.worker,
  });
}

function timing({ duration, resolve, connect, firstByte }: Attempt): string {
  const parts = [part("resolve", resolve), part("connect", connect), part("first byte", firstByte)].flat();
  return parts.length > 0 ? `${milliseconds(duration)} (${parts.join(", ")})` : milliseconds(duration);
}

function part(name: string, duration: Duration | undefined): string[] {
  return duration ? [`${name} ${milliseconds(duration)}`] : [];
}

function milliseconds(duration: Duration | undefined): string {
  return duration ? `${Math.round(durationMs(duration))} ms` : "";
}
