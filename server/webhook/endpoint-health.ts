import type { Config } from "../config.ts";
import type { Tx } from "../db/database.ts";

/** How an endpoint fails: from its first failure to its next success. */
export interface EndpointFailure {
  failing_since: Date;
  /** In a row. */
  failure_count: number;
  /** No attempts before. */
  rest_until: Date | null;
}

/** What a failed attempt says about its endpoint. */
export interface FailedAttempt {
  status: number;
  error: string;
  /** What its `Retry-After` asked for. */
  retryAfterMs: number | undefined;
}

const REST_FIRST_MS = 1_000;
const REST_MAX_MS = 60_000;
const GONE = 410;
/** Answers that say "too much", not "wrong". */
const SLOW_DOWN = [429, 502, 503, 504];

/**
 * How an endpoint fails after attempts that failed, one after the other. After too many in a row, and at once where an
 * answer asks for it, it rests; each rest is twice as long as the one before, up to a minute. No breaker: no rests.
 */
export function afterFailures(
  before: EndpointFailure | undefined,
  failed: readonly FailedAttempt[],
  { breakerFailures }: Pick<Config, "breakerFailures">,
  now: Date,
): EndpointFailure {
  const count = (before?.failure_count ?? 0) + failed.length;
  const slow = failed.filter(({ status }) => SLOW_DOWN.includes(status));
  const rests = [before?.rest_until?.getTime() ?? 0];
  if (breakerFailures > 0) {
    if (slow.length > 0) rests.push(now.getTime() + restMs(count - 1));
    if (count >= breakerFailures) rests.push(now.getTime() + restMs(count - breakerFailures));
    for (const { retryAfterMs } of slow) rests.push(now.getTime() + (retryAfterMs ?? 0));
  }
  const rest = Math.max(...rests);
  return {
    failing_since: before?.failing_since ?? now,
    failure_count: count,
    rest_until: rest > 0 ? new Date(rest) : null,
  };
}

function restMs(times: number): number {
  return Math.min(REST_FIRST_MS * 2 ** Math.min(times, 30), REST_MAX_MS);
}

/** Whether an answer says that there is nobody any more, and will not be. */
export function isGone(failed: readonly FailedAttempt[]): boolean {
  return failed.some(({ status }) => status === GONE);
}

/** Why an endpoint is to be disabled, in words; undefined when it is not. */
export function whyDisable(
  failure: EndpointFailure,
  failed: readonly FailedAttempt[],
  { disableAfterMs }: Pick<Config, "disableAfterMs">,
  now: Date,
): string | undefined {
  if (isGone(failed)) return `the receiver answered ${GONE}: it is gone`;
  if (now.getTime() - failure.failing_since.getTime() < disableAfterMs) return undefined;
  const since = failure.failing_since.toISOString().slice(0, 19);
  return `every attempt since ${since}Z failed, ${failure.failure_count} in a row; the last: ${failed.at(-1)?.error}`;
}

/** An endpoint that the transaction has locked rests no more, and its next failure is its first. */
export async function forgetFailures(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.deleteFrom("endpoint_failure").where("tenant_id", "=", tenantId).where("endpoint_id", "=", id).execute();
}
