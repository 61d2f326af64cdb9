import { type Waits, waitMs } from "./waits.ts";

/** Where requests wait together while the server is away: one that fails holds back the others too. */
export interface Gate {
  /** Resolves when a request may be made, or at once when `stop` is aborted. */
  wait(stop: AbortSignal): Promise<void>;
  /** A request that was begun then has failed. */
  failed(begunAt: number, retryAfterMs: number | undefined): void;
  /** A request was answered. */
  passed(): void;
}

/** A gate that is open at first. */
export function createGate(waits: Waits): Gate {
  let failures = 0;
  let opensAt = 0;
  return {
    async wait(stop) {
      for (let left = opensAt - performance.now(); left > 0 && !stop.aborted; left = opensAt - performance.now()) {
        await pause(left, stop);
      }
    },
    failed(begunAt, retryAfterMs = 0) {
      // Requests that were under way together fail together, and are one failure.
      if (begunAt >= opensAt) {
        failures++;
        opensAt = performance.now() + waitMs(failures, waits);
      }
      opensAt = Math.max(opensAt, performance.now() + retryAfterMs);
    },
    passed() {
      failures = 0;
    },
  };
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, Math.min(ms, 2 ** 31 - 1));
    stop.addEventListener("abort", over);
  });
}
