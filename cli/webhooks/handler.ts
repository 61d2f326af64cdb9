import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebhookEvent } from "./event.ts";
import {
  readEvent,
  readSecret,
  type Verdict,
  type VerifyingKey,
  type VerifyOptions,
  verifyWithKeys,
} from "./verify.ts";

export type { WebhookEvent, WebhookEventOf, WebhookEventType } from "./event.ts";

// Receivers of webhooks: `usageflow/webhooks/handler` of the package. They answer 204 when the event was handled, 400 to
// what does not verify, and 500 when the handler fails, which has it sent again.

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

/**
 * A listener for `node:http` and for Express. In Express put it before `express.json()`, or after `express.raw()`, or have
 * `express.json({ verify })` keep the bytes as `request.rawBody`: a body that was parsed cannot be verified any more.
 */
export function webhookListener(options: HandlerOptions, handle: HandleEvent) {
  const receive = receiver(options, handle);
  return async (request: NodeRequest, response: ServerResponse): Promise<void> => {
    const status = await receive(request.method ?? "", headerOf(request), () => bodyOf(request));
    response.writeHead(status, status === 413 ? { connection: "close" } : {}).end();
  };
}

/**
 * A plugin for Fastify: `app.register(webhookPlugin({ secret }, handle), { prefix: "/webhooks" })`. Inside it bodies are left
 * as they come; the rest of the application keeps its parsers.
 */
export function webhookPlugin(options: HandlerOptions, handle: HandleEvent) {
  const receive = receiver(options, handle);
  return async (app: FastifyLike): Promise<void> => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request: unknown, body: Chunks, done: Done) => done(null, body));
    const bodyLimit = options.bodyBytesMax ?? BODY_BYTES_MAX;
    app.all("/", { bodyLimit }, async (request, reply) => {
      const body = () => (request.body as Chunks | undefined) ?? [];
      reply.code(await receive(request.method, headerOf(request), body)).send();
      return reply;
    });
  };
}

/** A route for what speaks the web's `Request` and `Response`. */
export function webhookRoute(options: HandlerOptions, handle: HandleEvent) {
  const receive = receiver(options, handle);
  return async (request: Request): Promise<Response> => {
    const header = (name: string) => request.headers.get(name) ?? undefined;
    const body = () => {
      if (request.bodyUsed) throw new TypeError(READ_BEFORE);
      return request.body ?? [];
    };
    return new Response(null, { status: await receive(request.method, header, body) });
  };
}

type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
type NodeRequest = IncomingMessage & { body?: unknown; rawBody?: unknown };
type Done = (error: Error | null, body: unknown) => void;

/** As much of Fastify as the plugin touches: the package does not depend on it. */
interface FastifyLike {
  removeAllContentTypeParsers(): void;
  addContentTypeParser(type: string, parse: (request: unknown, body: Chunks, done: Done) => void): unknown;
  all(
    path: string,
    options: { bodyLimit: number },
    handle: (request: FastifyRequestLike, reply: ReplyLike) => Promise<unknown>,
  ): unknown;
}

interface FastifyRequestLike {
  method: string;
  headers: IncomingMessage["headers"];
  body: unknown;
}

interface ReplyLike {
  code(status: number): { send(): unknown };
}

const READ_BEFORE =
  "the body was read before it could be verified: let nothing parse it, or keep its bytes (express.raw, request.rawBody)";

/** The body as it came, wherever it is by now. */
function bodyOf(request: NodeRequest): Chunks {
  const kept = [request.rawBody, request.body].find((body) => body instanceof Uint8Array || typeof body === "string");
  if (kept !== undefined) return [typeof kept === "string" ? Buffer.from(kept) : (kept as Uint8Array)];
  if (request.readableDidRead) throw new TypeError(READ_BEFORE);
  return request;
}

function headerOf({ headers }: { headers: IncomingMessage["headers"] }) {
  return (name: string) => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
}

/** Answers a request with a status. Throws at once when a secret cannot be read. */
function receiver(options: HandlerOptions, handle: HandleEvent) {
  const keys = readKeys(options.secret);
  const { onRefused, onError = console.error, nowSeconds, toleranceSeconds, bodyBytesMax = BODY_BYTES_MAX } = options;
  return async (
    method: string,
    header: (name: string) => string | undefined,
    chunks: () => Chunks,
  ): Promise<number> => {
    if (method !== "POST") return 405;
    try {
      const body = await readBody(chunks(), bodyBytesMax);
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
      await handle(readEvent(id as string, body));
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
