import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { retryInfoMs } from "./library/call-error.ts";

const ATTEMPTS_MAX = 4;
// A longer wait is told, and left to whoever called: a command that is silent for long looks dead.
const WAIT_MAX_MS = 5_000;

/** Makes a call again that a server was too busy for, when it says to: nothing was done then. */
export const patience: Interceptor = (next) => async (request) => {
  if (request.stream) return next(request);
  for (let attempts = 1; ; attempts++) {
    try {
      return await next(request);
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      const waitMs = error.code === Code.ResourceExhausted ? retryInfoMs(error) : undefined;
      if (waitMs === undefined || waitMs > WAIT_MAX_MS || attempts >= ATTEMPTS_MAX) throw thrown;
      await sleep(waitMs, undefined, { signal: request.signal }).catch(() => {
        throw error; // somebody ended it while we waited
      });
    }
  }
};
