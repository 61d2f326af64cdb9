import type { Clock } from "../../server/clock.ts";

/** A process clock that moves only when the test says so. It begins at real time, for verifiers that look at theirs. */
export class TestClock implements Clock {
  #now = Date.now();

  now(): Date {
    return new Date(this.#now);
  }

  /** Moves the clock on. */
  advance(ms: number): void {
    this.#now += ms;
  }

  /** Does not wait: it lets others have their turn, Postgres among them, which has the same cores. */
  sleep(_ms: number, _signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 1));
  }
}
