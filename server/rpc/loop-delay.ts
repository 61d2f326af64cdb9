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
  let endsAt = performance.now() + windowMs;
  return {
    windowEnded() {
      const now = performance.now();
      if (now < endsAt) return undefined;
      // It counts from tick to tick, the time between two ticks that are on time included.
      const lateMs = histogram.count > 0 ? histogram.mean / 1e6 - RESOLUTION_MS : 0;
      histogram.reset();
      endsAt = now + windowMs;
      return lateMs;
    },
    close: () => void histogram.disable(),
  };
}
