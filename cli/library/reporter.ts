import type { Outcome } from "./post-events.ts";
import type { Listeners, Rejected, TrackerError, Undelivered } from "./report.ts";
import { readBack, type TrackedEvent } from "./tracked-event.ts";

/** Tells listeners what did not arrive. */
export interface Reporter {
  /** Tells of those that the server refused. */
  rejected(events: readonly TrackedEvent[], outcomes: readonly Outcome[]): void;
  undelivered(events: readonly TrackedEvent[], error: TrackerError, maybeStored: boolean): void;
  /** Resolves when listeners that take their time are done. */
  told(): Promise<void>;
}

/** A listener that fails is told of on standard error: the tracker goes on. */
export function createReporter({ onRejected, onUndelivered }: Listeners): Reporter {
  const telling = new Set<Promise<unknown>>();
  const tell = (listener: () => unknown) => {
    const told = (async () => listener())().catch((error) => console.error("usageflow: a listener failed:", error));
    telling.add(told);
    void told.finally(() => telling.delete(told));
  };
  return {
    rejected(events, outcomes) {
      const rejected = outcomes.flatMap(({ outcome, reason, field = "", message = "" }, at): Rejected[] => {
        if (outcome === "accepted" || outcome === "duplicate") return [];
        const event = readBack(events[at] as TrackedEvent);
        return [{ event, outcome, reason: reason ?? "INTERNAL", field, message }];
      });
      if (rejected.length > 0) tell(() => onRejected(rejected));
    },
    undelivered(events, error, maybeStored) {
      const undelivered = events.map((one): Undelivered => ({ event: readBack(one), error, maybeStored }));
      tell(() => onUndelivered(undelivered));
    },
    async told() {
      while (telling.size > 0) await Promise.all(telling);
    },
  };
}
