import type { TrackedEvent } from "./tracked-event.ts";

/** How much is held, and when a batch is sent. */
export interface QueueOptions {
  batchEventsMax?: number;
  batchBytesMax?: number;
  batchWaitMs?: number;
  queueEventsMax?: number;
  queueBytesMax?: number;
  inFlightMax?: number;
}

/** Events from when they are tracked until their outcome is known. */
export interface TrackerQueue {
  /** Takes an event, or answers false: there is no room for it. */
  put(event: TrackedEvent): boolean;
  /** Takes an event when there is room for it, first come, first served; answers false when it is waited for no more. */
  putWhenRoom(event: TrackedEvent): Promise<boolean>;
  /** Sends away all that wait for room. */
  turnAway(): void;
  /** These have their outcome. */
  settle(events: readonly TrackedEvent[]): void;
  /** Sends what is there, and resolves when all of it has its outcome. */
  drained(): Promise<void>;
  /** All that is held, in its order, and whether it is under way. */
  held(): { event: TrackedEvent; underWay: boolean }[];
}

const SERVER_EVENTS_MAX = 1_000;

/** A queue that hands batches to `send`, a few at a time. */
export function createTrackerQueue(
  options: QueueOptions,
  send: (events: readonly TrackedEvent[]) => Promise<void>,
): TrackerQueue {
  const { batchEventsMax = 500, batchBytesMax = 512 * 1024, batchWaitMs = 100 } = options;
  const { queueEventsMax = 100_000, queueBytesMax = 64 * 1024 * 1024, inFlightMax = 4 } = options;
  const full = { events: Math.min(batchEventsMax, SERVER_EVENTS_MAX), bytes: batchBytesMax };
  /** All without an outcome, in the order in which they were tracked. */
  const held = new Set<TrackedEvent>();
  let heldBytes = 0;
  let waiting: TrackedEvent[] = [];
  let waitingBytes = 0;
  /** So many of those that wait have waited long enough. */
  let due = 0;
  let inFlight = 0;
  let timer: NodeJS.Timeout | undefined;
  let isPumping = false;
  const drains = new Set<{ upTo: number; resolve: () => void }>();
  let queueing: { event: TrackedEvent; answer: (taken: boolean) => void }[] = [];

  const isFull = () => waiting.length >= full.events || waitingBytes >= full.bytes;
  const next = (): TrackedEvent[] => {
    let bytes = 0;
    let count = 0;
    for (const event of waiting) {
      if (count > 0 && (count >= full.events || bytes + event.bytes > full.bytes)) break;
      bytes += event.bytes;
      count++;
    }
    waitingBytes -= bytes;
    due = Math.max(0, due - count);
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  };
  const pump = () => {
    isPumping = false;
    while (inFlight < inFlightMax && waiting.length > 0 && (due > 0 || isFull())) {
      inFlight++;
      void send(next()).finally(() => {
        inFlight--;
        pump();
      });
    }
    if (waiting.length === 0 || due > 0) {
      clearTimeout(timer);
      timer = undefined;
    } else timer ??= setTimeout(sendAll, batchWaitMs);
  };
  const sendAll = () => {
    timer = undefined;
    due = waiting.length;
    pump();
  };
  const hasRoom = (event: TrackedEvent) =>
    held.size === 0 || (held.size < queueEventsMax && heldBytes + event.bytes <= queueBytesMax);
  const put = (event: TrackedEvent) => {
    held.add(event);
    heldBytes += event.bytes;
    waiting.push(event);
    waitingBytes += event.bytes;
    if (isPumping) return;
    if (isFull()) {
      isPumping = true;
      queueMicrotask(pump); // the caller goes on first
    } else timer ??= setTimeout(sendAll, batchWaitMs);
  };
  const letIn = () => {
    for (let [first] = queueing; first && hasRoom(first.event); [first] = queueing) {
      queueing.shift();
      put(first.event);
      first.answer(true);
    }
  };

  return {
    put(event) {
      if (!hasRoom(event)) return false;
      put(event);
      return true;
    },
    putWhenRoom(event) {
      return new Promise((answer) => {
        queueing.push({ event, answer });
        letIn();
      });
    },
    turnAway() {
      const turned = queueing;
      queueing = [];
      for (const { answer } of turned) answer(false);
    },
    settle(events) {
      for (const event of events) {
        if (held.delete(event)) heldBytes -= event.bytes;
      }
      const [oldest] = held;
      for (const drain of drains) {
        if (oldest && oldest.number <= drain.upTo) continue;
        drains.delete(drain);
        drain.resolve();
      }
      letIn();
    },
    drained() {
      const upTo = [...held].at(-1)?.number;
      if (upTo === undefined) return Promise.resolve();
      sendAll();
      return new Promise((resolve) => drains.add({ upTo, resolve }));
    },
    held() {
      const stillWaiting = new Set(waiting);
      return [...held].map((event) => ({ event, underWay: !stillWaiting.has(event) }));
    },
  };
}
