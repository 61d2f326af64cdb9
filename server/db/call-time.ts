import { AsyncLocalStorage } from "node:async_hooks";
import type { KyselyPlugin } from "kysely";

/** The time of a call: its statements get no more than what is left of it. */
export interface CallTime {
  leftMs(): number;
  /** Why no more may be begun: the time is up, or who called is gone. Undefined while it may. */
  over(): Error | undefined;
}

// The one thing that does not come as a parameter: it concerns every statement, and no verb.
const current = new AsyncLocalStorage<CallTime>();

/** Runs the work of a call within its time. */
export function withinTime<T>(time: CallTime, work: () => Promise<T>): Promise<T> {
  return current.run(time, work);
}

/** Runs what others wait for too: it must not end with the call that happened to begin it. */
export function outsideCall<T>(work: () => T): T {
  return current.exit(work);
}

/** What is left to the call that is under way. Undefined: there is none, or it has no limit. */
export function leftMs(): number | undefined {
  return current.getStore()?.leftMs();
}

/** Throws when the call that is under way is over. */
export function endIfOver(): void {
  const over = current.getStore()?.over();
  if (over) throw over;
}

/** Begins no statement for a call that is over: its transaction is rolled back then. */
export const endsWithCall: KyselyPlugin = {
  transformQuery({ node }) {
    endIfOver();
    return node;
  },
  transformResult: async ({ result }) => result,
};
