import type { Gate } from "./gate.ts";
import { type Outcome, type Post, postEvents } from "./post-events.ts";
import { type LastAnswer, TrackerError } from "./report.ts";
import type { TrackedEvent } from "./tracked-event.ts";

/** What a batch is sent with, and who hears what became of its events. */
export interface Delivering {
  post: Post;
  gate: Gate;
  /** How long a batch is tried again, from its first attempt on. */
  retryForMs: number;
  /** Aborted when the time to close is over. */
  stop: AbortSignal;
  onOutcomes: (events: readonly TrackedEvent[], outcomes: readonly Outcome[]) => void;
  onUndelivered: (events: readonly TrackedEvent[], error: TrackerError, maybeStored: boolean) => void;
}

/**
 * Sends a batch until each of its events has an outcome, or is given up. Every event has its key, so an attempt whose
 * answer was lost is made again without harm. A batch that is refused for what it holds is halved: one event that nobody
 * can read must not take the others with it.
 */
export async function deliverBatch(with_: Delivering, events: readonly TrackedEvent[]): Promise<void> {
  const { post, gate, retryForMs, stop, onOutcomes, onUndelivered } = with_;
  const giveUpAt = performance.now() + retryForMs;
  let maybeStored = false;
  let last: LastAnswer = {};
  let why = "it was not tried";
  for (;;) {
    await gate.wait(stop);
    if (stop.aborted) return onUndelivered(events, new TrackerError("closed", closedWords(why), last), maybeStored);
    const begunAt = performance.now();
    const answer = await postEvents(post, events, stop);
    if (answer.is === "outcomes") {
      gate.passed();
      return onOutcomes(events, answer.outcomes);
    }
    last = answer.last;
    why = answer.message;
    if (answer.is === "refused") {
      gate.passed();
      if (answer.divisible && events.length > 1) {
        const middle = Math.ceil(events.length / 2);
        await deliverBatch(with_, events.slice(0, middle));
        return deliverBatch(with_, events.slice(middle));
      }
      return onUndelivered(events, new TrackerError("refused", why, last), maybeStored);
    }
    maybeStored ||= answer.arrived;
    if (stop.aborted) continue; // it was we who broke it off
    gate.failed(begunAt, answer.retryAfterMs);
    if (performance.now() < giveUpAt) continue;
    return onUndelivered(events, new TrackerError("gave_up", `given up: ${why}`, last), maybeStored);
  }
}

function closedWords(why: string): string {
  return `the tracker's time to close was over; of the last attempt: ${why}`;
}
