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
}

/**
 * Calls `runOnce` again and again until closed: at once while it finds work; when it finds none, after `pollMs` or as soon
 * as a hint says that there is some; and after a growing pause when it fails. The only place that decides about time.
 */
export function startLoop(app: App, name: string, { runOnce, restMs = 0 }: LoopBody): Loop {
  const stop = new AbortController();
  const { pollMs } = app.config;
  const run = async () => {
    let failures = 0;
    while (!stop.signal.aborted) {
      const noted = app.hints.noted(name); // before it looks: what is noted from here on, it may have overlooked
      try {
        const done = await runOnce(app, stop.signal);
        failures = 0;
        if (done === 0) await app.hints.wait(name, noted, pollMs, stop.signal);
        else if (restMs > 0) await app.clock.sleep(restMs, stop.signal);
      } catch (error) {
        failures++;
        app.log.error("loop.failed", { loop: name, failures, ...errorFacts(error) });
        await app.clock.sleep(Math.min(pollMs * 2 ** failures, BACK_OFF_MAX_MS), stop.signal);
      }
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
