import type { IncomingMessage, ServerResponse } from "node:http";
import { readSecret, type Verdict, type VerifyingKey, type VerifyOptions, verifyWithKeys } from "./verify.ts";

// Receivers of webhooks: `usageflow/webhooks/handler` of the package. They answer 204 when the event was handled, 400 to
// what does not verify, and 500 when the handler fails, which has it sent again.

/** An event that verified. */
export interface WebhookEvent {
  /** The same over all attempts: an event that was handled before is to be ignored. */
  id: string;
  /** What happened, such as `invoice.finalized`. */
  type: string;
  /** When it happened, in RFC 3339. */
  timestamp: string;
  /** Gapless per endpoint. */
  sequence: string;
  /** The facts. */
  data: Record<string, unknown>;
}

/** What is done with an event. Once it is over, the event is taken; what it throws has the event sent again. */
export type HandleEvent = (event: WebhookEvent) => void | Promise<void>;

/** How events are received. */
export interface HandlerOptions extends Pick<VerifyOptions, "toleranceSeconds"> {
  /** `whsec_...` or `whpk_...`; several while a secret is changed. */
  secret: string | readonly string[];
  /** The clock, in unix seconds. */
  nowSeconds?: () => number;
  /** The largest body that is read. Default: 1 MiB. */
  bodyBytesMax?: number;
  /** Is told why a request was refused. */
  onRefused?: (verdict: Extract<Verdict, { verified: false }>) => void;
  /** Is told what the handler threw. Default: `console.error`. */
  onError?: (error: unknown) => void;
}

const BODY_BYTES_MAX = 1024 * 1024;

/** A listener for `node:http`, and for Express where nothing has read the body, or `express.raw()` has. */
export function webhookListener(options: HandlerOptions, handle: HandleEvent) {
  const receive = receiver(options, handle);
  return async (request: IncomingMessage & { body?: unknown }, response: ServerResponse): Promise<void> => {
    const header = (name: string) => {
      const value = request.headers[name];
      return typeof value === "string" ? value : undefined;
    };
    const chunks = Buffer.isBuffer(request.body) ? [request.body] : request;
    const status = await receive(request.method ?? "", header, chunks);
    response.writeHead(status, status === 413 ? { connection: "close" } : {}).end();
  };
}

/** A route for what speaks the web's `Request` and `Response`. */
export function webhookRoute(options: HandlerOptions, handle: HandleEvent) {
  const receive = receiver(options, handle);
  return async (request: Request): Promise<Response> => {
    const header = (name: string) => request.headers.get(name) ?? undefined;
    return new Response(null, { status: await receive(request.method, header, request.body ?? []) });
  };
}

type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Answers a request with a status. Throws at once when a secret cannot be read. */
function receiver(options: HandlerOptions, handle: HandleEvent) {
  const keys = readKeys(options.secret);
  const { onRefused, onError = console.error, nowSeconds, toleranceSeconds, bodyBytesMax = BODY_BYTES_MAX } = options;
  return async (method: string, header: (name: string) => string | undefined, chunks: Chunks): Promise<number> => {
    if (method !== "POST") return 405;
    try {
      const body = await readBody(chunks, bodyBytesMax);
      if (!body) return 413;
      const id = header("webhook-id");
      const message = { id, timestamp: header("webhook-timestamp"), signature: header("webhook-signature"), body };
      const verdict = verifyWithKeys(message, keys, {
        ...(nowSeconds ? { atSeconds: nowSeconds() } : {}),
        ...(toleranceSeconds === undefined ? {} : { toleranceSeconds }),
      });
      if (!verdict.verified) {
        onRefused?.(verdict);
        return 400;
      }
      await handle({ ...JSON.parse(body.toString()), id });
      return 204;
    } catch (error) {
      onError(error);
      return 500;
    }
  };
}

function readKeys(secrets: string | readonly string[]): VerifyingKey[] {
  const keys = [secrets].flat().map((secret) => {
    const key = readSecret(secret);
    if (typeof key === "string") throw new TypeError(key);
    return key;
  });
  if (keys.length === 0) throw new TypeError("there is no secret to verify with");
  return keys;
}

/** All of a body, or undefined when it is too large. */
async function readBody(chunks: Chunks, bytesMax: number): Promise<Buffer | undefined> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    read.push(chunk);
  }
  return Buffer.concat(read);
}
