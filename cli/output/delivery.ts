import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { type Attempt, type Delivery, DeliveryStateSchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type Column, facts, table } from "./table.ts";
import { time, word } from "./text.ts";

/** A delivery in full: each attempt, with what was answered. */
export function deliveryText(delivery: Delivery): string {
  const head = facts({
    Delivery: delivery.id,
    Event: `${delivery.eventType} ${delivery.eventId}`,
    Endpoint: delivery.endpointId,
    State: word(DeliveryStateSchema, delivery.state),
    Made: time(delivery.createdAt),
    "Next attempt": time(delivery.nextAttemptAt),
    Completed: time(delivery.completedAt),
  });
  return delivery.attempts.length > 0 ? `${head}\n\n${table(attemptColumns, delivery.attempts)}` : head;
}

const ANSWER_SHOWN_MAX = 200;

const attemptColumns: Column<Attempt>[] = [
  { title: "TRY", value: (attempt) => String(attempt.number), right: true },
  { title: "SENT", value: (attempt) => time(attempt.sentAt) },
  { title: "TOOK", value: (attempt) => milliseconds(attempt.duration), right: true },
  { title: "STATUS", value: (attempt) => String(attempt.status || "none"), right: true },
  { title: "ERROR", value: (attempt) => attempt.error, cut: "last" },
  { title: "ANSWER", value: (attempt) => attempt.responseBody.slice(0, ANSWER_SHOWN_MAX), cut: true },
];

function milliseconds(duration: Duration | undefined): string {
  return duration ? `${Math.round(durationMs(duration))} ms` : "";
}
