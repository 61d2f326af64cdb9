import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Agent, request } from "undici";
import { withDeadline } from "../clock.ts";
import type { Config } from "../config.ts";
import { type Failure, failureOfError, failureOfStatus } from "./failure.ts";
import { beginExchange, exchanges, guardedConnector, type Timing } from "./guarded-connector.ts";

// A receiver is a stranger: whatever it does is bounded, and nothing it says is trusted.
const HEADER_BYTES_MAX = 16 * 1024;
const BODY_BYTES_READ = 64 * 1024;
const BODY_BYTES_KEPT = 4 * 1024;
const HEADER_CHARACTERS_KEPT = 4 * 1024;
// Less than the deadline, so that "nobody there" and "no answer" can be told apart.
const CONNECT_TIMEOUT_MS = 5_000;
// Below the 5 s after which the usual receivers hang up; more only where the receiver says so, and not for ever.
const KEEP_ALIVE_MS = 4_000;
const KEEP_ALIVE_MS_MAX = 60_000;

/** What came of one POST. */
export interface Outcome extends Timing {
  /** Undefined: it was delivered. */
  failure: Failure | undefined;
  /** 0 when there was no answer. */
  status: number;
  responseHeaders: Record<string, string>;
  /** The `Retry-After` of the answer. */
  retryAfter: string | undefined;
  responseBody: string;
  durationUs: number;
}

/** POSTs a JSON body. What goes wrong outside is an outcome, not an error. */
export type Post = (url: string, headers: Record<string, string>, body: string) => Promise<Outcome>;

/**
 * Dials allowed addresses only, follows no redirects, and keeps to one deadline over all of an exchange. Connections
 * that are idle keep no process alive, so there is nothing to close.
 */
export function createPost({ deliveryTimeoutMs, emulator }: Pick<Config, "deliveryTimeoutMs" | "emulator">): Post {
  const agent = new Agent({
    connect: guardedConnector(emulator, Math.min(CONNECT_TIMEOUT_MS, deliveryTimeoutMs)),
    allowH2: false, // one exchange per connection: ending one ends no other
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS_MAX,
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: 0, // the deadline covers both
    bodyTimeout: 0,
  });
  const ownHeaders = {
    "content-type": "application/json",
    "user-agent": `usageflow/${packageVersion()}`,
    "accept-encoding": "identity", // what is not compressed cannot swell
  };
  return (url, headers, body) => {
    const started = performance.now();
    const exchange = beginExchange();
    const answered = {
      status: 0,
      responseHeaders: {},
      retryAfter: undefined as string | undefined,
      start: [] as Buffer[],
    };
    const send = async (deadline: AbortSignal): Promise<Failure | undefined> => {
      try {
        const answer = await request(url, {
          dispatcher: agent,
          method: "POST",
          headers: { ...ownHeaders, ...headers },
          body,
          signal: deadline,
        });
        exchange.timing.firstByteUs = exchange.lap();
        answered.status = answer.statusCode;
        answered.responseHeaders = boundedHeaders(answer.headers);
        answered.retryAfter = [answer.headers["retry-after"]].flat()[0];
        let read = 0;
        for await (const chunk of answer.body as AsyncIterable<Buffer>) {
          if (read < BODY_BYTES_KEPT) answered.start.push(chunk);
          read += chunk.length;
          if (read >= BODY_BYTES_READ) break;
        }
        return failureOfStatus(answer.statusCode);
      } catch (error) {
        if (deadline.aborted)
          return { kind: "TIMEOUT", words: `no complete answer within ${deliveryTimeoutMs / 1000} s` };
        return failureOfError(error, exchange.stage);
      }
    };
    return exchanges.run(exchange, async () => {
      const failure = await withDeadline(deliveryTimeoutMs, send);
      return {
        ...exchange.timing,
        failure,
        status: answered.status,
        responseHeaders: answered.responseHeaders,
        retryAfter: answered.retryAfter,
        responseBody: asText(Buffer.concat(answered.start).subarray(0, BODY_BYTES_KEPT)),
        durationUs: Math.round((performance.now() - started) * 1000),
      };
    });
  };
}

/** The first headers of an answer, as many as fit; the last of them may be cut. */
function boundedHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const kept: Record<string, string> = {};
  let left = HEADER_CHARACTERS_KEPT;
  for (const [name, value] of Object.entries(headers)) {
    if (left <= name.length) break;
    left -= name.length;
    const text = [value ?? ""].flat().join(", ").replaceAll("\0", "").slice(0, left);
    left -= text.length;
    kept[name] = text;
  }
  return kept;
}

/** Text of bytes that may be anything, as PostgreSQL takes it: without NUL, and without a character cut in two. */
function asText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes, { stream: true }).replaceAll("\0", "");
}

function packageVersion(): string {
  const file = findPackageJSON("..", import.meta.url);
  return file ? JSON.parse(readFileSync(file, "utf8")).version : "";
}
