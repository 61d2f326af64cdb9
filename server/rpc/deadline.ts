import { Code, ConnectError, createContextKey, type Interceptor } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { withDeadline } from "../clock.ts";
import { type CallTime, withinTime } from "../db/call-time.ts";
import { refusal } from "./errors.ts";

/** How long the client gives the call, from when its headers came. Undefined: it did not say. */
export const timeoutKey = createContextKey<number | undefined>(undefined, { description: "timeout in ms" });

/**
 * Ends a call that takes longer than its client waits, or than the server allows when the client sets no deadline or a later
 * one. Its statements get the time that is left, none is begun after it or when the client has gone, and what was begun is
 * rolled back. An idempotency key tells a repeat what became of it.
 */
export function deadline(app: App): Interceptor {
  return (next) => async (request) => {
    if (request.stream) return next(request);
    const ms = Math.min(request.contextValues.get(timeoutKey) ?? Number.POSITIVE_INFINITY, app.config.requestTimeoutMs);
    const late = () =>
      refusal(Code.DeadlineExceeded, ErrorReason.OVERLOADED, `the call took longer than ${ms} ms; try again`);
    const until = performance.now() + ms;
    let answered = false;
    const time: CallTime = {
      leftMs: () => until - performance.now(),
      over() {
        if (answered) return undefined; // what follows from a call is no longer the call
        if (performance.now() >= until) return late();
        return request.signal.aborted ? new ConnectError("the client is gone", Code.Canceled) : undefined;
      },
    };
    return withDeadline(ms, (signal) => {
      const tooLate = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(late()), { once: true });
      });
      const work = withinTime(time, () => next(request)).finally(() => {
        answered = true;
      });
      return Promise.race([work, tooLate]);
    });
  };
}
