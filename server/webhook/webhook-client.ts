import { Agent, type Dispatcher } from "undici";
import { onDeadline } from "../clock.ts";
import type { Config } from "../config.ts";
import { packageVersion } from "../version.ts";
import { type Failure, failureOfError, failureOfStatus } from "./failure.ts";
import { beginExchange, type Exchange, exchanges, guardedConnector, type Timing } from "./guarded-connector.ts";
import type { LookUp, Reach } from "./look-up.ts";

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
export type Post = (url: string, headers: Record<string, string>, body: string | Buffer) => Promise<Outcome>;

/**
 * Dials allowed addresses only, follows no redirects, and keeps to one deadline over all of an exchange. Connections
 * that are idle keep no process alive, so there is nothing to close.
 */
export function createPost(config: Pick<Config, "deliveryTimeoutMs"> & Reach, look?: LookUp): Post {
  const { deliveryTimeoutMs } = config;
  const agent = new Agent({
    connect: guardedConnector(config, Math.min(CONNECT_TIMEOUT_MS, deliveryTimeoutMs), look),
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
  return (url, headers, body) =>
    new Promise((resolve, reject) => {
      const { origin, pathname, search } = new URL(url);
      const answer = new Answer(deliveryTimeoutMs, resolve, reject);
      const sent = { ...ownHeaders, ...headers };
      exchanges.run(answer.exchange, () =>
        agent.dispatch({ origin, path: pathname + search, method: "POST", headers: sent, body }, answer),
      );
    });
}

/**
 * Reads an answer as undici hears it: a request of its own kind and a stream for each body would cost as much as all the
 * rest. Whatever comes first ends it: the end of the answer, enough of it, a failure, or the deadline.
 */
class Answer implements Dispatcher.DispatchHandler {
  readonly exchange: Exchange = beginExchange();
  readonly #started = performance.now();
  readonly #start: Buffer[] = [];
  readonly #clearDeadline: () => void;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #over = false;
  #read = 0;
  #status = 0;
  #headers: Record<string, string> = {};
  #retryAfter: string | undefined;

  constructor(deadlineMs: number, resolve: (outcome: Outcome) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
    const words = `no complete answer within ${deadlineMs / 1000} s`;
    this.#clearDeadline = onDeadline(deadlineMs, () => this.#breakOff({ kind: "TIMEOUT", words }));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error("the deadline has passed")); // before there was a connection
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return; // another follows
    this.exchange.timing.firstByteUs = this.exchange.lap();
    this.#status = status;
    this.#headers = boundedHeaders(headers);
    this.#retryAfter = [headers["retry-after"]].flat()[0];
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#read < BODY_BYTES_KEPT) this.#start.push(chunk);
    this.#read += chunk.length;
    if (this.#read >= BODY_BYTES_READ) this.#breakOff(failureOfStatus(this.#status));
  }

  onResponseEnd(): void {
    this.#end(failureOfStatus(this.#status));
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    try {
      this.#end(failureOfError(error, this.exchange.stage));
    } catch (fault) {
      this.#over = true;
      this.#clearDeadline();
      this.#reject(fault);
    }
  }

  #breakOff(failure: Failure | undefined): void {
    this.#end(failure);
    this.#controller?.abort(new Error("enough"));
  }

  #end(failure: Failure | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#clearDeadline();
    this.#resolve({
      ...this.exchange.timing,
      failure,
      status: this.#status,
      responseHeaders: this.#headers,
      retryAfter: this.#retryAfter,
      responseBody: this.#read === 0 ? "" : asText(Buffer.concat(this.#start).subarray(0, BODY_BYTES_KEPT)),
      durationUs: Math.round((performance.now() - this.#started) * 1000),
    });
  }
}

type Headers = Record<string, string | string[] | undefined>;

/** The first headers of an answer, as many as fit; the last of them may be cut. */
function boundedHeaders(headers: Headers): Record<string, string> {
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
