import type { App } from "./app.ts";
import { errorFacts } from "./log.ts";

/** A loop at work. `close` lets the pass under way end. */
export interface Loop {
  close(): Promise<void>;
}

const BACK_OFF_MAX_MS = 30_000;

/** What a loop does: a bounded piece of work, of which it answers how much. */
export interface LoopBody {
  runOnce: (app: App, signal: AbortSignal) => Promise<number>;
  /** Rest after work was found, for work that is cheaper by the heap than one by one. */
  restMs?: number;
  /** Rest after none was found, for work that seldom comes. Left out: `pollMs`. */
  idleMs?: number;
}

/**
 * Calls `runOnce` again and again until closed: at once while it finds work, after a rest when it finds none, and after
 * a growing pause when it fails. The only place that decides about time.
 */
export function startLoop(app: App, name: string, { runOnce, restMs = 0, idleMs }: LoopBody): Loop {
  const stop = new AbortController();
  const { pollMs } = app.config;
  const run = async () => {
    let failures = 0;
    while (!stop.signal.aborted) {
      let pauseMs = 0;
      try {
        const done = await runOnce(app, stop.signal);
        failures = 0;
        pauseMs = done === 0 ? (idleMs ?? pollMs) : restMs;
      } catch (error) {
        failures++;
        pauseMs = Math.min(pollMs * 2 ** failures, BACK_OFF_MAX_MS);
        app.log.error("loop.failed", { loop: name, failures, ...errorFacts(error) });
      }
      if (pauseMs > 0) await app.clock.sleep(pauseMs, stop.signal);
    }
  };
  const ended = run();
  return {
    async close() {
      stop.abort();
      await ended;
    },
  };
}
