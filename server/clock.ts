import { setTimeout as sleepFor } from "node:timers/promises";

/** Physical time: retries, leases, signatures. Business time is the tenant's clock (`tenant/tenant-clock.ts`). */
export interface Clock {
  /** The time now. */
  now(): Date;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => sleepFor(ms, undefined, signal ? { signal } : {}).catch(() => {}),
};

/** `time` moved by `ms`. */
export function plusMs(time: Date, ms: number): Date {
  return new Date(time.getTime() + ms);
}

/** Calls `work` once `ms` of real time have passed, unless the function that it answers is called before. */
export function onDeadline(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}

/** What `work` comes to, or `late` as an error once `ms` of real time have passed: the work goes on, and nobody waits for it. */
export function inTime<T>(ms: number, work: Promise<T>, late: Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = onDeadline(ms, () => reject(late));
    work.then(resolve, reject).finally(ended);
  });
}

/** Runs `work` with a signal that aborts once `ms` of real time have passed. */
export async function withDeadline<T>(ms: number, work: (deadline: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
