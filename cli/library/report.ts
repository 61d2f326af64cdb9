import type { Reason } from "./reason.ts";
import type { UsageEventInput } from "./tracked-event.ts";

/** An event that the server refused. Sent again as it is, it is refused again. */
export interface Rejected {
  event: UsageEventInput & { idempotencyKey: string };
  /** `conflict`: an event with the same key and other content is there already, and stands. */
  outcome: "rejected" | "conflict";
  reason: Reason;
  /** What is at fault within the event, such as `amount`. */
  field: string;
  /** What is wrong and what to do, for people. */
  message: string;
}

/** An event that is not known to be stored. It can be tracked again at any time: its key makes sure that it counts once. */
export interface Undelivered {
  event: UsageEventInput & { idempotencyKey: string };
  error: TrackerError;
  /** It was sent, and no answer told what became of it: it may be stored. */
  maybeStored: boolean;
}

/** Why an event was not delivered. */
export type TrackerErrorKind =
  /** The queue was full. */
  | "queue_full"
  /** The tracker was closed before, or its time to close was over. */
  | "closed"
  /** The server could not be reached, or was busy, for as long as the tracker tries. */
  | "gave_up"
  /** The server refused the request: the key, say. */
  | "refused"
  /** The process ended with the event in the queue. */
  | "exit";

/** Why events were not delivered. */
export class TrackerError extends Error {
  override readonly name = "TrackerError";
  readonly kind: TrackerErrorKind;
  /** The HTTP status of the last answer, if there was one. */
  readonly status: number | undefined;
  /** Why the server refused. Empty when no server of ours said it. */
  readonly reason: Reason | "";
  /** Finds the last request in the server's log. */
  readonly requestId: string;

  constructor(kind: TrackerErrorKind, message: string, last: LastAnswer = {}) {
    super(message, last.cause === undefined ? {} : { cause: last.cause });
    this.kind = kind;
    this.status = last.status;
    this.reason = last.reason ?? "";
    this.requestId = last.requestId ?? "";
  }
}

/** What the last attempt came to. */
export interface LastAnswer {
  status?: number;
  reason?: Reason | "";
  requestId?: string;
  cause?: unknown;
}

/** Who is told of events that did not arrive. */
export interface Listeners {
  onRejected: (rejected: readonly Rejected[]) => unknown;
  onUndelivered: (undelivered: readonly Undelivered[]) => unknown;
}

const LINE_MS = 1_000;

/** Tells standard error, in at most one line each second: a tracker that nobody listens to is not silent. */
export function printing(print: (line: string) => void = console.error): Listeners {
  const last = new Map<string, { at: number; more: number }>();
  const say = (what: string, count: number, why: string) => {
    const before = last.get(what) ?? { at: Number.NEGATIVE_INFINITY, more: 0 };
    const total = before.more + count;
    if (performance.now() - before.at < LINE_MS) return void last.set(what, { ...before, more: total });
    last.set(what, { at: performance.now(), more: 0 });
    print(`usageflow: ${total} usage events ${what}, the last because: ${why}`);
  };
  return {
    onRejected: (rejected) => say("rejected", rejected.length, rejected.at(-1)?.message ?? ""),
    onUndelivered: (undelivered) => say("not delivered", undelivered.length, undelivered.at(-1)?.error.message ?? ""),
  };
}
