import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  AttemptErrorKind,
  AttemptErrorKindSchema,
  DeliveryState,
  DeliveryStateSchema,
} from "../../gen/usageflow/v1/webhook_pb.ts";
import type { Forwarded } from "../listen/forwarder.ts";
import { word } from "./text.ts";

// The longest types of events have about as many characters.
const TYPE_WIDTH = 23;
const STATUS_WIDTH = 7;

/** One exchange in one line: when, what, and how it was answered. */
export function exchangeLine(at: Date, eventType: string, id: string, status: string, durationMs: number): string {
  const clock = at.toISOString().slice(11, 19);
  return [clock, eventType.padEnd(TYPE_WIDTH), id, status.padEnd(STATUS_WIDTH), `${Math.round(durationMs)} ms`].join(
    "  ",
  );
}

// With these the status says it all.
const BY_STATUS: readonly AttemptErrorKind[] = [
  AttemptErrorKind.UNSPECIFIED,
  AttemptErrorKind.STATUS,
  AttemptErrorKind.REDIRECT,
];

/** A status, or what came in place of one. */
export function statusWord(status: number, kind: AttemptErrorKind): string {
  if (BY_STATUS.includes(kind)) return String(status);
  return kind === AttemptErrorKind.CONNECT ? "refused" : word(AttemptErrorKindSchema, kind);
}

/** A delivery that was handed on, for people. */
export function forwardedLine({ delivery, answer }: Forwarded, at: Date): string {
  return exchangeLine(
    at,
    delivery.eventType,
    delivery.eventId,
    statusWord(answer.status, answer.errorKind),
    answer.durationMs,
  );
}

/** What follows from one that was not taken. Empty when it was. */
export function whatNext({ after }: Forwarded): string {
  if (after?.state === DeliveryState.FAILED) return `Given up after ${after.attemptCount} tries.`;
  return after?.nextAttemptAt ? `Tried again at ${clockOf(after.nextAttemptAt)}.` : "";
}

/** The same as JSON. */
export function forwardedJson({ delivery, answer, after }: Forwarded, hint: string, at: Date) {
  return {
    type: "event",
    at: at.toISOString(),
    deliveryId: delivery.deliveryId,
    attempt: delivery.attempt,
    eventId: delivery.eventId,
    eventType: delivery.eventType,
    customerId: delivery.customerId,
    sequence: String(delivery.sequence),
    status: answer.status,
    errorKind: answer.errorKind === AttemptErrorKind.UNSPECIFIED ? "" : kindName(answer.errorKind),
    durationMs: Math.round(answer.durationMs),
    state: after ? (DeliveryStateSchema.value[after.state]?.name ?? "") : "",
    nextAttemptAt: after?.nextAttemptAt ? timestampDate(after.nextAttemptAt).toISOString() : "",
    hint,
    body: new TextDecoder().decode(delivery.body),
  };
}

function kindName(kind: AttemptErrorKind): string {
  return AttemptErrorKindSchema.value[kind]?.name ?? "";
}

function clockOf(time: Timestamp): string {
  return timestampDate(time).toISOString().slice(11, 19);
}
