import { AsyncLocalStorage } from "node:async_hooks";
import type { App } from "./app.ts";
import type { Clock } from "./clock.ts";
import { errorFacts } from "./log.ts";
import { maskSecrets } from "./observe/mask.ts";

/** A loop at work. `close` lets the pass under way end. */
export interface Loop {
  report(): LoopReport;
  close(): Promise<void>;
}

/** How a loop does. */
export interface LoopReport {
  name: string;
  /** Whether it is in a pass. */
  working: boolean;
  /** When it last began a pass, or was answered by the database in one. */
  aliveAt: Date;
  /** Passes that failed since one did not. */
  failures: number;
  /** What failed last, in it or in one tenant's turn. */
  lastError?: { at: Date; error: string };
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

// The loop in which something happens: what loops have in common need not be told of which it is.
const current = new AsyncLocalStorage<{ clock: Clock; report: LoopReport }>();

/** Says that the loop that this is called in goes on: a pass may last as long as there is work. */
export function noteLife(): void {
  const loop = current.getStore();
  if (loop) loop.report.aliveAt = loop.clock.now();
}

/** Keeps an error for whoever asks how the loop does in which it came. */
export function noteError(error: unknown): void {
  const loop = current.getStore();
  if (loop) loop.report.lastError = { at: loop.clock.now(), error: maskSecrets(errorFacts(error).error ?? "") };
}

/**
 * Calls `runOnce` again and again until closed: at once while it finds work; when it finds none, after a rest or as soon as
 * a hint says that there is some; and after a growing pause when it fails. The only place that decides about time.
 */
export function startLoop(app: App, name: string, { runOnce, restMs = 0, idleMs }: LoopBody): Loop {
  const stop = new AbortController();
  const { pollMs } = app.config;
  app.observer.count("usageflow_loop_passes_total", { loop: name, result: "failed" }, 0); // the first one is an increase then
  const report: LoopReport = { name, working: false, aliveAt: app.clock.now(), failures: 0 };
  const pass = async () => {
    Object.assign(report, { working: true, aliveAt: app.clock.now() });
    try {
      return await runOnce(app, stop.signal);
    } finally {
      report.working = false;
    }
  };
  const run = async () => {
    while (!stop.signal.aborted) {
      const startedAt = performance.now();
      const noted = app.hints.noted(name); // before it looks: what is noted from here on, it may have overlooked
      try {
        const done = await pass();
        report.failures = 0;
        app.observer.count("usageflow_loop_passes_total", { loop: name, result: done > 0 ? "worked" : "idle" });
        if (done > 0) app.log.debug("loop.worked", { loop: name, done, duration_ms: performance.now() - startedAt });
        if (done === 0) await app.hints.wait(name, noted, idleMs ?? pollMs, stop.signal);
        else if (restMs > 0) await app.clock.sleep(restMs, stop.signal);
      } catch (error) {
        report.failures++;
        noteError(error);
        app.observer.count("usageflow_loop_passes_total", { loop: name, result: "failed" });
        app.log.error("loop.failed", { loop: name, failures: report.failures, ...errorFacts(error) });
        await app.clock.sleep(Math.min(pollMs * 2 ** report.failures, BACK_OFF_MAX_MS), stop.signal);
      }
    }
  };
  const ended = current.run({ clock: app.clock, report }, run);
  return {
    report: () => ({ ...report }),
    async close() {
      stop.abort();
      await ended;
    },
  };
}
