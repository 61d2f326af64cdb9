import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 20;
const WINDOW_MS = 1_000;

/** Tells how late the process is at what it has to do, window by window. */
export interface LoopDelay {
  /** When a window has ended since it was last asked: how late the process was in it, on the average. */
  windowEnded(): number | undefined;
  close(): void;
}

/** Watches the event loop. */
export function watchLoopDelay(windowMs = WINDOW_MS): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let last = { at: performance.now(), ticks: 0, sumMs: 0 };
  return {
    windowEnded() {
      const at = performance.now();
      if (at < last.at + windowMs) return undefined;
      const { count: ticks } = histogram;
      // Never reset: that forgets when the last tick was, and of a window with one long tick nothing would be left.
      const now = { at, ticks, sumMs: ticks > 0 ? (histogram.mean / 1e6) * ticks : 0 };
      // It counts from tick to tick, the time between two ticks that are on time included. No tick: all of it was one.
      const tickMs = ticks > last.ticks ? (now.sumMs - last.sumMs) / (ticks - last.ticks) : at - last.at;
      last = now;
      return tickMs - RESOLUTION_MS;
    },
    close: () => void histogram.disable(),
  };
}
