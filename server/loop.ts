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
 * Calls `runOnce` again and again until closed: at once while it finds work; when it finds none, after a rest or as soon as
 * a hint says that there is some; and after a growing pause when it fails. The only place that decides about time.
 */
export function startLoop(app: App, name: string, { runOnce, restMs = 0, idleMs }: LoopBody): Loop {
  const stop = new AbortController();
  const { pollMs } = app.config;
  app.observer.count("usageflow_loop_passes_total", { loop: name, result: "failed" }, 0); // the first one is an increase then
  const run = async () => {
    let failures = 0;
    while (!stop.signal.aborted) {
      const startedAt = performance.now();
      const noted = app.hints.noted(name); // before it looks: what is noted from here on, it may have overlooked
      try {
        const done = await runOnce(app, stop.signal);
        failures = 0;
        app.observer.count("usageflow_loop_passes_total", { loop: name, result: done > 0 ? "worked" : "idle" });
        if (done > 0) app.log.debug("loop.worked", { loop: name, done, duration_ms: performance.now() - startedAt });
        if (done === 0) await app.hints.wait(name, noted, idleMs ?? pollMs, stop.signal);
        else if (restMs > 0) await app.clock.sleep(restMs, stop.signal);
      } catch (error) {
        failures++;
        app.observer.count("usageflow_loop_passes_total", { loop: name, result: "failed" });
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
