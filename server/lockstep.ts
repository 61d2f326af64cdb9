import type { App } from "./app.ts";

/**
 * Runs calls that change something and the work that follows from them one after the other: what a call sets going is done
 * before the next call begins. Slow, and repeatable: two runs of the same calls make the same things in the same order. For
 * the emulator.
 */
export interface Lockstep {
  /** Runs a call when its turn has come. */
  take<T>(call: () => Promise<T>): Promise<T>;
  /** Says what is done after each call. It never throws. */
  follow(work: () => Promise<void>): void;
}

/** A lockstep in which nothing follows yet. */
export function createLockstep(): Lockstep {
  let before = Promise.resolve();
  let following = async () => {};
  return {
    take(call) {
      const mine = before.then(call);
      before = mine.then(
        () => following(),
        () => following(),
      );
      return mine;
    },
    follow(work) {
      following = work;
    },
  };
}

/** Runs a call that changes something: at once, or in its turn where the app goes in lockstep. */
export function inStep<T>({ lockstep }: Pick<App, "lockstep">, call: () => Promise<T>): Promise<T> {
  return lockstep ? lockstep.take(call) : call();
}
