import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";

/**
 * Makes a call again after each failure that `waitMsAfter` knows a wait for, and throws the first that it knows none for. The
 * wait ends with `signal`: then the failure before it is thrown.
 */
export async function callAgain<T>(
  call: () => Promise<T>,
  signal: AbortSignal,
  waitMsAfter: (error: ConnectError, failures: number) => number | undefined,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await call();
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      const waitMs = waitMsAfter(error, failures);
      if (waitMs === undefined) throw error;
      await sleep(waitMs, undefined, { signal }).catch(() => {
        throw error;
      });
    }
  }
}
