import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError, type HandlerContext } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Authenticator } from "./authenticate.ts";
import { callerOf } from "./caller.ts";
import { laterAgain, overloaded, refusal } from "./errors.ts";
import { credentialsFrom, permit } from "./interceptors.ts";
import { originKey } from "./origin.ts";
import { atPlace } from "./place.ts";

/** How long a stream is silent at most: its client tells a slow day from a dead line. */
export const HEARTBEAT_MS = 3_000;
/** The same, as streams tell it. */
export const heartbeatInterval = create(DurationSchema, { seconds: BigInt(HEARTBEAT_MS / 1_000) });

// When a tenant with too many streams may try again: one of them has to end first.
const RETRY_MS = 5_000;

// How long a stream outlives the revocation of its key.
const KEY_CHECK_MS = 5_000;

/** The calls of one process that stream until their clients go: how many there are, and how they end. */
export class Streams {
  readonly #app: App;
  readonly #authenticator: Authenticator;
  /** Each open stream, and its tenant. */
  readonly #open = new Map<AbortController, string>();
  #stopping = false;

  constructor(app: App, authenticator: Authenticator) {
    this.#app = app;
    this.#authenticator = authenticator;
  }

  /**
   * Streams what `body` makes, until its signal aborts: the client goes, its key is revoked, or the server stops. Refuses
   * a tenant that has too many open.
   */
  async *run<T>(call: HandlerContext, body: (ended: AbortSignal) => AsyncIterable<T>): AsyncIterable<T> {
    const own = this.#enter(callerOf(call).tenantId);
    const leave = () => {
      own.abort(call.signal.reason);
      this.#open.delete(own); // here, because nobody goes on with a generator whose client is gone
    };
    if (call.signal.aborted) leave();
    const stillKnown = this.#keyCheck(call);
    call.signal.addEventListener("abort", leave, { once: true });
    try {
      for await (const message of body(own.signal)) {
        yield message;
        await stillKnown();
      }
      if (own.signal.aborted) throw own.signal.reason;
    } finally {
      leave();
    }
  }

  /** Ends all streams, in a way that makes their clients come back: to another process, or to the next. */
  stop(): void {
    this.#stopping = true;
    for (const own of this.#open.keys()) own.abort(stopping());
  }

  #enter(tenantId: string): AbortController {
    if (this.#stopping) throw stopping();
    const { streamsPerTenantMax } = this.#app.config;
    const open = [...this.#open.values()].filter((other) => other === tenantId).length;
    if (open >= streamsPerTenantMax) {
      const message = `${open} streams of this tenant are open here already: end one first`;
      throw overloaded(message, RETRY_MS);
    }
    const own = new AbortController();
    this.#open.set(own, tenantId);
    return own;
  }

  /** Refuses a key that was revoked meanwhile, or a member whose role was lowered. Asked after each message, of which one comes at least with each heartbeat. */
  #keyCheck(call: HandlerContext): () => Promise<void> {
    const { clock } = this.#app;
    const { key, tenant } = credentialsFrom((name) => call.requestHeader.get(name));
    const origin = call.values.get(originKey);
    let askedAt = clock.now();
    return async () => {
      if (clock.now() < plusMs(askedAt, KEY_CHECK_MS)) return;
      askedAt = clock.now();
      permit(atPlace(await this.#authenticator.authenticate(key, origin), call.method, tenant), call.method);
    };
  }
}

function stopping(): ConnectError {
  return laterAgain(refusal(Code.Unavailable, ErrorReason.UNAVAILABLE, "the server is stopping; call again"), 1_000);
}
