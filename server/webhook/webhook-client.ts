import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Agent, buildConnector, errors, request } from "undici";
import { withDeadline } from "../clock.ts";
import type { Config } from "../config.ts";
import { checkLiteral, RefusedAddressError, resolveTarget } from "./resolve-target.ts";

// A receiver is a stranger: whatever it does is bounded, and nothing it says is trusted.
const HEADER_BYTES_MAX = 16 * 1024;
const BODY_BYTES_READ = 64 * 1024;
const BODY_BYTES_KEPT = 4 * 1024;
// Less than the deadline, so that "nobody there" and "no answer" can be told apart.
const CONNECT_TIMEOUT_MS = 5_000;
// Below the 5 s after which the usual receivers hang up; more only where the receiver says so, and not for ever.
const KEEP_ALIVE_MS = 4_000;
const KEEP_ALIVE_MS_MAX = 60_000;

/** What came of one POST. `status` is 0 when there was no answer. */
export type Outcome = { status: number; responseBody: string; durationUs: number } & (
  | { kind: "delivered" }
  | { kind: "failed"; error: string }
);

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
  return async (url, headers, body) => {
    const started = performance.now();
    let status = 0;
    let read = 0;
    const start: Buffer[] = [];
    const error = await withDeadline(deliveryTimeoutMs, async (deadline) => {
      try {
        const answer = await request(url, {
          dispatcher: agent,
          method: "POST",
          headers: { ...ownHeaders, ...headers },
          body,
          signal: deadline,
        });
        status = answer.statusCode;
        for await (const chunk of answer.body as AsyncIterable<Buffer>) {
          if (read < BODY_BYTES_KEPT) start.push(chunk);
          read += chunk.length;
          if (read >= BODY_BYTES_READ) break;
        }
        return status >= 200 && status < 300 ? undefined : `the receiver answered ${status}`;
      } catch (failure) {
        return deadline.aborted ? `no complete answer within ${deliveryTimeoutMs / 1000} s` : failureInWords(failure);
      }
    });
    return {
      status,
      responseBody: asText(Buffer.concat(start).subarray(0, BODY_BYTES_KEPT)),
      durationUs: Math.round((performance.now() - started) * 1000),
      ...(error === undefined ? { kind: "delivered" } : { kind: "failed", error }),
    };
  };
}

/** Dials nothing but what it checked: an address in the URL, or those that it looked up itself. */
function guardedConnector(emulator: boolean, timeout: number): buildConnector.connector {
  const connect = buildConnector({
    timeout,
    allowH2: false,
    lookup: (host, options, callback) => {
      resolveTarget(host, emulator).then(
        (found) => (options.all ? callback(null, found) : callback(null, found[0]?.address ?? "", found[0]?.family)),
        (error) => callback(error, ""),
      );
    },
  });
  return (options, callback) => {
    try {
      checkLiteral(options.hostname, emulator); // there is no lookup for it
    } catch (error) {
      return callback(error as Error, null);
    }
    connect(options, callback);
  };
}

// Codes of Node, OpenSSL and undici. Their messages are not shown: some quote what the receiver says.
const LOOKUP = /^(ENOTFOUND|ENODATA|EAI_)/;
const TIMEOUT = /^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;
const TLS =
  /^(CERT|CRL|DEPTH_ZERO|EPROTO|ERR_SSL|ERR_TLS|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH|SELF_SIGNED|UNABLE_TO)/;

/** Why an exchange failed, in words: look-up, connection, TLS or HTTP. What is none of these is thrown again. */
function failureInWords(failure: unknown): string {
  if (failure instanceof RefusedAddressError) return failure.message;
  if (failure instanceof errors.HTTPParserError) return "the answer is not valid HTTP";
  if (!(failure instanceof Error && "code" in failure && typeof failure.code === "string")) throw failure;
  const { code } = failure;
  if (LOOKUP.test(code)) return `the name does not resolve (${code})`;
  if (TIMEOUT.test(code)) return `the connection timed out (${code})`;
  if (TLS.test(code)) return `TLS failed (${code})`;
  if (code === "ECONNREFUSED") return "the connection was refused";
  if (code === "UND_ERR_HEADERS_OVERFLOW") return "the headers of the answer are larger than 16 KiB";
  return `the connection broke (${code})`;
}

/** Text of bytes that may be anything, as PostgreSQL takes it: without NUL, and without a character cut in two. */
function asText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes, { stream: true }).replaceAll("\0", "");
}

function packageVersion(): string {
  const file = findPackageJSON("..", import.meta.url);
  return file ? JSON.parse(readFileSync(file, "utf8")).version : "";
}
