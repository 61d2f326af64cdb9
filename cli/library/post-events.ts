import type { Door } from "./access.ts";
import type { Reason } from "./reason.ts";
import type { LastAnswer } from "./report.ts";
import type { TrackedEvent } from "./tracked-event.ts";
import { retryAfterMs } from "./waits.ts";

/** What the server says of one event. */
export interface Outcome {
  outcome: "accepted" | "duplicate" | "conflict" | "rejected";
  reason?: Reason;
  field?: string;
  message?: string;
}

/** What one request came to. */
export type Answer =
  | { is: "outcomes"; outcomes: readonly Outcome[] }
  /** The same request may do better later. `arrived`: the server may have done what it was asked. */
  | { is: "passing"; message: string; last: LastAnswer; arrived: boolean; retryAfterMs: number | undefined }
  /** The same request will be refused again. `divisible`: because of what one of its events says, or of its size. */
  | { is: "refused"; message: string; last: LastAnswer; divisible: boolean };

/** How requests are made. */
export interface Post {
  door: Door;
  backfill: boolean;
  timeoutMs: number;
}

const OUTCOMES = new Set(["accepted", "duplicate", "conflict", "rejected"]);
/** Statuses that say that nothing was done, and that it may be later. */
const NOT_YET = new Set([408, 425, 429]);
/** What connecting fails with before anything is sent. */
const NOT_SENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/;
const DIVISIBLE = new Set(["MALFORMED_BODY", "TOO_LARGE"]);

/** Sends events to `POST /api/track`, once. */
export async function postEvents(post: Post, events: readonly TrackedEvent[], stop: AbortSignal): Promise<Answer> {
  const { door, backfill, timeoutMs } = post;
  const limit = new AbortController(); // of our own: AbortSignal.any would hang another one on `stop` for each request
  const end = () => limit.abort(stop.reason);
  const timer = setTimeout(() => limit.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  try {
    const response = await fetch(`${door.baseUrl}/api/track${backfill ? "?backfill=true" : ""}`, {
      method: "POST",
      headers: { ...door.headers, "content-type": "application/json" },
      body: `[${events.map(({ json }) => json).join(",")}]`,
      redirect: "manual", // the key is for this server
      signal: limit.signal,
    });
    return read(response, await response.text(), events.length);
  } catch (error) {
    return broken(error);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", end);
  }
}

function read(response: Response, text: string, count: number): Answer {
  const { status } = response;
  const body = parse(text);
  const requestId = response.headers.get("x-request-id") ?? "";
  const outcomes = status === 200 ? outcomesOf(body, count) : undefined;
  if (outcomes) return { is: "outcomes", outcomes };
  const { reason = "", message } = body?.error ?? {};
  const last: LastAnswer = { status, reason, requestId };
  if (status === 200 || status >= 500 || NOT_YET.has(status)) {
    const told = message ?? (status === 200 ? "the answer is not one of UsageFlow" : `the server answered ${status}`);
    const wait = retryAfterMs(response.headers.get("retry-after"));
    return { is: "passing", message: told, last, arrived: !NOT_YET.has(status), retryAfterMs: wait };
  }
  const divisible = status === 413 || DIVISIBLE.has(reason);
  return { is: "refused", message: message ?? `the server answered ${status}`, last, divisible };
}

interface Body {
  results?: unknown;
  error?: { reason?: Reason; message?: string };
}

function parse(text: string): Body | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? body : undefined;
  } catch {
    return undefined; // a proxy's page, or an answer that broke off
  }
}

/** One outcome for each event, or undefined: whoever answered is no server of ours. */
function outcomesOf(body: Body | undefined, count: number): Outcome[] | undefined {
  const results: unknown = body?.results;
  if (!Array.isArray(results) || results.length !== count) return undefined;
  return results.every((one: Partial<Outcome> | null) => OUTCOMES.has(one?.outcome ?? "")) ? results : undefined;
}

/** `fetch` says no more than that it failed, and has why as the cause. */
function broken(error: unknown): Answer {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const message = cause instanceof Error ? cause.message || code : String(cause);
  const arrived = !NOT_SENT.test(code);
  return { is: "passing", message, last: { cause: error }, arrived, retryAfterMs: undefined };
}
