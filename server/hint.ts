import { randomUUID } from "node:crypto";
import type { Clock } from "./clock.ts";
import { listen } from "./db/listen.ts";
import { errorFacts, type Log } from "./log.ts";

// A hint wakes a loop that would have found its work by itself a moment later: loops look every `pollMs` anyhow, so a hint
// may be lost, come twice, or come for nothing.

const HINTED = ["deliver", "dispatchEvents", "replayDeliveries", "walkClock"] as const;
/** Loops that are woken when a transaction has left work for them. */
export type HintedLoop = (typeof HINTED)[number];

/** Who wakes loops, of this process and of the others. */
export interface Hints {
  /** Says that work for these loops is there now, committed. */
  note(loops: Iterable<HintedLoop>): void;
  /** How often work was noted for a loop. */
  noted(loop: string): number;
  /** Sleeps for `ms`, and ends early once more was noted for the loop than `seen`, or when `signal` aborts. */
  wait(loop: string, seen: number, ms: number, signal?: AbortSignal): Promise<void>;
  /** Hears what other processes note, until closed. */
  listen(): void;
  close(): Promise<void>;
}

export interface HintOptions {
  clock: Clock;
  log: Log;
  /** Connection on which other processes are heard. Undefined: hints stay inside this process. */
  listenUrl: string | undefined;
  /** Sends a notification in a transaction of its own. */
  notify(channel: string, payload: string): Promise<void>;
}

const CHANNEL = "usageflow_hint";
// Every notification takes a lock of the whole database for a moment: what is noted in this time goes as one.
const TELL_PAUSE_MS = 10;

/** Hints of one process. */
export function createHints({ clock, log, listenUrl, notify }: HintOptions): Hints {
  const me = randomUUID();
  const stop = new AbortController();
  const counts = new Map<string, number>();
  const sleepers = new Map<string, Set<() => void>>();
  const untold = new Set<HintedLoop>();
  let telling: Promise<void> | undefined;
  let listening: Promise<void> | undefined;

  const noted = (loop: string) => counts.get(loop) ?? 0;
  /** Wakes a loop of this process, and answers whether it was asleep. */
  const wake = (loop: string): boolean => {
    counts.set(loop, noted(loop) + 1);
    const woken = sleepers.get(loop);
    sleepers.delete(loop);
    for (const wakeUp of woken ?? []) wakeUp();
    return woken !== undefined;
  };
  const tell = async (): Promise<void> => {
    while (untold.size > 0 && !stop.signal.aborted) {
      const payload = `${me} ${[...untold].join(",")}`;
      untold.clear();
      await notify(CHANNEL, payload).catch((error) => log.warn("hint.not_told", errorFacts(error)));
      await clock.sleep(TELL_PAUSE_MS, stop.signal);
    }
    telling = undefined;
  };
  const hear = (payload: string): void => {
    const [from, loops = ""] = payload.split(" ");
    if (from !== me && loops !== "") for (const loop of loops.split(",")) wake(loop);
  };
  return {
    note(loops) {
      // A loop that slept here takes the work at once; more processes than that would only wait for each other. One that is
      // busy, or runs elsewhere alone, is told of: another's may be asleep.
      for (const loop of loops) if (!wake(loop)) untold.add(loop);
      if (!listenUrl) untold.clear();
      if (untold.size > 0) telling ??= tell();
    },
    noted,
    async wait(loop, seen, ms, signal) {
      if (signal?.aborted || noted(loop) !== seen) return;
      const woken = new AbortController();
      const wakeUp = () => woken.abort();
      const beside = sleepers.get(loop) ?? new Set();
      sleepers.set(loop, beside.add(wakeUp));
      signal?.addEventListener("abort", wakeUp, { once: true });
      await clock.sleep(ms, woken.signal);
      signal?.removeEventListener("abort", wakeUp);
      beside.delete(wakeUp);
      if (beside.size === 0 && sleepers.get(loop) === beside) sleepers.delete(loop);
    },
    listen() {
      if (!listenUrl) return;
      listening ??= listen(
        {
          ...{ url: listenUrl, channel: CHANNEL, clock },
          notify: (payload) => notify(CHANNEL, payload),
          onNotification: hear,
          onListening: () => HINTED.forEach(wake),
          onLost: (error) => log.warn("hint.not_heard", errorFacts(error)),
        },
        stop.signal,
      );
    },
    async close() {
      stop.abort();
      await Promise.all([telling, listening]);
    },
  };
}
