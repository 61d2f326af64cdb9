import { Code, type Interceptor } from "@connectrpc/connect";
import { callAgain } from "./library/call-again.ts";
import { retryInfoMs } from "./library/call-error.ts";

const ATTEMPTS_MAX = 4;
// A longer wait is told, and left to whoever called: a command that is silent for long looks dead.
const WAIT_MAX_MS = 5_000;

/** Makes a call again that a server was too busy for, when it says to: nothing was done then. */
export const patience: Interceptor = (next) => async (request) => {
  if (request.stream) return next(request);
  return callAgain(
    () => next(request),
    request.signal,
    (error, attempts) => {
      const waitMs = error.code === Code.ResourceExhausted ? retryInfoMs(error) : undefined;
      return waitMs === undefined || waitMs > WAIT_MAX_MS || attempts >= ATTEMPTS_MAX ? undefined : waitMs;
    },
  );
};
