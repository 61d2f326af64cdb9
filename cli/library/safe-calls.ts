import { create, type DescMethod, type Message, type MessageShape } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import { TrackUsageRequestSchema, UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { callAgain } from "./call-again.ts";
import { isPassing, retryInfoMs } from "./call-error.ts";
import { newKey } from "./new-key.ts";
import { type Waits, waitMs } from "./waits.ts";

/** How often a call is made, and when again. */
export interface Retries {
  /** Attempts of one call, the first included. 1: no call is made again. */
  attemptsMax: number;
  /** The waits between them. A server that asks for a longer one than `maxMs` is not called again: the caller decides. */
  waits: Waits;
}

/**
 * Makes every call one that is safe to make again, by an idempotency key that all its attempts share, and makes it again
 * when the connection broke or the server is busy. A stream is not: where it broke off, its reader knows best.
 */
export function safeCalls({ attemptsMax, waits }: Retries): Interceptor {
  return (next) => async (request) => {
    if (request.stream) return next(request);
    const { method, header, signal } = request;
    if (method.idempotency !== Level.NO_SIDE_EFFECTS && !isTracking(method) && !header.has("idempotency-key")) {
      header.set("idempotency-key", newKey());
    }
    const safe = isTracking(method) ? { ...request, message: withKeys(request.message) } : request;
    return callAgain(
      () => next(safe),
      signal,
      (error, failures) => {
        const asked = retryInfoMs(error) ?? 0;
        const isLast = failures >= attemptsMax || signal.aborted || !isPassing(error) || asked > waits.maxMs;
        return isLast ? undefined : Math.max(asked, waitMs(failures, waits));
      },
    );
  };
}

function isTracking(method: DescMethod): boolean {
  return method === UsageService.method.trackUsage;
}

/** Usage has its keys in the events. The caller's own message stays as it is. */
function withKeys(message: Message): Message {
  const request = message as MessageShape<typeof TrackUsageRequestSchema>;
  if (request.events.every((event) => event.idempotencyKey !== "")) return request;
  const events = request.events.map((event) => (event.idempotencyKey ? event : { ...event, idempotencyKey: newKey() }));
  return create(TrackUsageRequestSchema, { ...request, events });
}
