import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { failureOfCall } from "../call-failure.ts";
import { printable } from "../output/text.ts";
import type { DashboardState } from "./state.ts";
import type { Store } from "./store.ts";

/** Calls that nobody waits for are given up soon: the next one comes. */
export const CALL_MS = 5_000;

const AWAY: readonly Code[] = [Code.Unavailable, Code.DeadlineExceeded, Code.Aborted, Code.Canceled, Code.Internal];

/** The link to the server: calls through it say whether it is there. */
export interface Link {
  /** Makes a call, and answers undefined when it failed; the state says why. */
  call<T>(work: (options: { signal: AbortSignal; timeoutMs: number }) => Promise<T>): Promise<T | undefined>;
  /** Notes that a call failed, or a stream broke off. */
  failed(error: unknown): void;
  /** Notes that the server was heard. */
  heard(): void;
  /** Waits, and answers whether the dashboard still runs. */
  wait(ms: number): Promise<boolean>;
  readonly ended: AbortSignal;
}

/** A link that ends with a signal. */
export function createLink(store: Store<DashboardState>, ended: AbortSignal): Link {
  const heard = () => {
    if (store.get().connection.state === "connected") return;
    store.updateSoon(() => ({ connection: { state: "connected" }, note: "Connected again." }));
  };
  const failed = (error: unknown) => {
    if (ended.aborted) return;
    const why = error instanceof ConnectError ? failureOfCall(error).message : printable(String(error));
    if (!(error instanceof ConnectError) || !AWAY.includes(error.code)) {
      store.updateSoon(() => ({ note: why }));
      return;
    }
    store.updateSoon(({ connection }) =>
      connection.state === "reconnecting" ? {} : { connection: { state: "reconnecting", since: Date.now(), why } },
    );
  };
  return {
    ended,
    heard,
    failed,
    async call(work) {
      try {
        const answer = await work({ signal: ended, timeoutMs: CALL_MS });
        heard();
        return answer;
      } catch (error) {
        failed(error);
        return undefined;
      }
    },
    async wait(ms) {
      await sleep(ms, undefined, { signal: ended }).catch(() => {});
      return !ended.aborted;
    },
  };
}
