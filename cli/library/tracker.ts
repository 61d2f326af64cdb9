import { type KeyAccess, openDoor, type TokenAccess } from "./access.ts";
import { deliverBatch } from "./deliver-batch.ts";
import { createGate } from "./gate.ts";
import type { Outcome } from "./post-events.ts";
import { onExit, onSignals } from "./process-end.ts";
import { type Listeners, printing, TrackerError } from "./report.ts";
import { createReporter } from "./reporter.ts";
import { type TrackedEvent, type UsageEventInput, writeDown } from "./tracked-event.ts";
import { createTrackerQueue } from "./tracker-queue.ts";
import type { Waits } from "./waits.ts";

/** How usage is collected and sent. */
export interface TrackingOptions extends Partial<Listeners> {
  /** A batch is sent when it has so many events, at most 1,000. Default: 500. */
  batchEventsMax?: number;
  /** Or so many bytes. Default: 512 KiB. A server takes no more than its `USAGEFLOW_REQUEST_BYTES_MAX`. */
  batchBytesMax?: number;
  /** Or when its first event has waited so long. Default: 100. */
  batchWaitMs?: number;
  /** Events that are held at most, those under way included. Default: 100,000. */
  queueEventsMax?: number;
  /** And their bytes. Default: 64 MiB. */
  queueBytesMax?: number;
  /** Batches under way at the same time. Default: 4. */
  inFlightMax?: number;
  /** How long a batch is tried again while the server cannot be reached or is busy. Default: an hour. */
  retryForMs?: number;
  /** The waits between attempts. Default: 200 ms after the first failure, up to 30 s. `Retry-After` goes before them. */
  retryWaits?: Waits;
  /** How long one request may take. Default: 30,000. */
  requestTimeoutMs?: number;
  /**
   * The time of events that have none: `tracked`, by this machine's clock, so that an outage moves nothing into another
   * period; or `received`, by the tenant's clock. Default: `received` with a key of a test tenant, whose clock may be
   * moved, and `tracked` with every other.
   */
  occurredAt?: "tracked" | "received";
  /** Record events older than the tenant's backfill window. Default: false. */
  backfill?: boolean;
  /**
   * Signals that close the tracker, such as `["SIGTERM"]`, for programs that do nothing else about them: when it is closed,
   * the signal ends the process, unless somebody else listens to it. Default: none.
   */
  closeOnSignals?: readonly NodeJS.Signals[];
}

/** Which server usage goes to, as whom, and how. */
export type TrackerOptions = (KeyAccess | Required<TokenAccess>) & TrackingOptions;

/** What `track` says at once. Whether the event is stored is known later: see `tally`, `onRejected` and `onUndelivered`. */
export type Receipt =
  | { queued: true; idempotencyKey: string }
  /** It was not taken; `onUndelivered` is told as well. */
  | { queued: false; idempotencyKey: string; error: TrackerError };

/** What became of events: `tracked` is the sum of all the others. */
export interface TrackerTally {
  tracked: number;
  accepted: number;
  /** Stored before: by an attempt whose answer was lost, or under a key that you gave twice. */
  duplicate: number;
  rejected: number;
  undelivered: number;
  /** In the queue or under way. */
  pending: number;
}

/** Collects usage and sends it in the background. */
export interface Tracker extends AsyncDisposable {
  /** Takes an event and returns at once. It is refused, with a receipt that says so, when the queue is full. */
  track(event: UsageEventInput): Receipt;
  /** Takes an event as soon as there is room: for a loop that reads a file faster than a network takes it. */
  trackWhenRoom(event: UsageEventInput): Promise<Receipt>;
  /** Sends what is there, and resolves when all that was tracked before has its outcome. */
  flush(): Promise<void>;
  /** Takes no more, sends the rest, and tells what could not be sent in time. Default: 10,000. Answers the tally. */
  close(options?: { timeoutMs?: number }): Promise<TrackerTally>;
  readonly tally: TrackerTally;
}

const CLOSE_MS = 10_000;
const HOUR_MS = 3_600_000;
const LONGEST_MS = 2 ** 31 - 1; // of a timer

/**
 * Makes a tracker. While events are pending the process stays alive, so a program that comes to its end sends them first;
 * what calls `process.exit()` should `await tracker.close()` before.
 */
export function createTracker(options: TrackerOptions): Tracker {
  const { retryWaits = { firstMs: 200, maxMs: 30_000 }, retryForMs = HOUR_MS, closeOnSignals = [] } = options;
  const post = {
    door: openDoor(options),
    backfill: options.backfill ?? false,
    timeoutMs: options.requestTimeoutMs ?? 30_000,
  };
  if (!("apiKey" in options) && !options.tenant) throw new TypeError("tenant: usage belongs to one; name it");
  const gate = createGate(retryWaits);
  const stop = new AbortController();
  const stamp = (options.occurredAt ?? usualTime(options)) === "tracked";
  const tally = { tracked: 0, accepted: 0, duplicate: 0, rejected: 0, undelivered: 0 };
  const reporter = createReporter({ ...printing(), ...listenersOf(options) });
  let closing: Promise<void> | undefined;

  const onOutcomes = (events: readonly TrackedEvent[], outcomes: readonly Outcome[]) => {
    for (const { outcome } of outcomes) tally[outcome === "conflict" ? "rejected" : outcome]++;
    reporter.rejected(events, outcomes);
    queue.settle(events);
  };
  const onUndelivered = (events: readonly TrackedEvent[], error: TrackerError, maybeStored: boolean) => {
    tally.undelivered += events.length;
    reporter.undelivered(events, error, maybeStored);
    queue.settle(events);
  };
  const delivering = { post, gate, retryForMs, stop: stop.signal, onOutcomes, onUndelivered };
  const queue = createTrackerQueue(options, (events) => deliverBatch(delivering, events));
  const forgetExit = onExit(() => {
    const error = new TrackerError("exit", "the process ended before it was sent");
    for (const { event, underWay } of queue.held()) onUndelivered([event], error, underWay);
  });

  const refuse = (event: TrackedEvent, error: TrackerError): Receipt => {
    onUndelivered([event], error, false);
    return { queued: false, idempotencyKey: event.idempotencyKey, error };
  };
  const receipt = (event: TrackedEvent, isTaken: boolean): Receipt => {
    if (isTaken) return { queued: true, idempotencyKey: event.idempotencyKey };
    if (closing) return refuse(event, new TrackerError("closed", "the tracker is closed"));
    return refuse(event, new TrackerError("queue_full", "the tracker's queue is full"));
  };
  const take = (event: UsageEventInput) => {
    const taken = writeDown(event, tally.tracked, stamp);
    tally.tracked++;
    return taken;
  };
  const shut = async (timeoutMs: number) => {
    const timer = setTimeout(() => stop.abort(), Math.min(timeoutMs, LONGEST_MS));
    queue.turnAway();
    await queue.drained();
    clearTimeout(timer);
    forgetSignals();
    forgetExit();
    await reporter.told();
  };
  const tracker: Tracker = {
    track(event) {
      const taken = take(event);
      return receipt(taken, !closing && queue.put(taken));
    },
    async trackWhenRoom(event) {
      const taken = take(event);
      return receipt(taken, !closing && (await queue.putWhenRoom(taken)));
    },
    async flush() {
      await queue.drained();
      await reporter.told();
    },
    async close({ timeoutMs = CLOSE_MS } = {}) {
      closing ??= shut(timeoutMs);
      await closing;
      return tracker.tally;
    },
    get tally() {
      const { accepted, duplicate, rejected, undelivered } = tally;
      return { ...tally, pending: tally.tracked - accepted - duplicate - rejected - undelivered };
    },
    async [Symbol.asyncDispose]() {
      await tracker.close();
    },
  };
  const forgetSignals = onSignals(closeOnSignals, () => tracker.close());
  return tracker;
}

/** A test tenant's clock may stand in another year, where no time of ours is right. */
function usualTime(access: KeyAccess | Required<TokenAccess>): "tracked" | "received" {
  if ("apiKey" in access) return access.apiKey.startsWith("uf_test_") ? "received" : "tracked";
  return access.tenant === "test" ? "received" : "tracked";
}

function listenersOf({ onRejected, onUndelivered }: Partial<Listeners>): Partial<Listeners> {
  return { ...(onRejected && { onRejected }), ...(onUndelivered && { onUndelivered }) };
}
