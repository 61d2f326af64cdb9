import { create, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { ErrorDetailSchema, ErrorReason, ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { errorFacts } from "../log.ts";
import type { Authenticator } from "./authenticate.ts";
import { accessLog, createGate, idempotency, type OpenServices, validate } from "./interceptors.ts";
import type { NodeHandler } from "./one-port.ts";

/** All RPCs, over Connect, gRPC and gRPC-Web. `fallback` answers every other path. */
export function connectHandler(
  app: App,
  authenticator: Authenticator,
  options: { open: OpenServices; routes: (router: ConnectRouter) => void; fallback: NodeHandler },
): NodeHandler {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: app.config.requestBytesMax,
    writeMaxBytes: 64 * 1024 * 1024,
    maxTimeoutMs: app.config.requestTimeoutMs,
    requestGate: createGate(app, authenticator, options.open),
    interceptors: [accessLog(app), validate(), idempotency()],
    jsonOptions: {
      alwaysEmitImplicit: true,
      ignoreUnknownFields: false,
      // Connect reads its decoder from here; this one refuses invalid UTF-8 instead of replacing it.
      ...{ textDecoder: new TextDecoder("utf-8", { fatal: true }) },
    },
  });
  options.routes(router);
  const handlers = new Map<string, UniversalHandler>(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const handler = handlers.get((request.url ?? "").split("?", 1)[0] as string);
    if (!handler) return options.fallback(request, response);
    handler(universalRequestFromNodeRequest(request, response, undefined, createContextValues()))
      .then(explained)
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error) => app.log.warn("rpc.broken_off", errorFacts(error)));
  };
}

// Connect refuses what it cannot parse before any code of ours runs: without a reason, and as `internal` where the bytes
// are no protobuf message. Those answers are put into the contract's form here.

const UNPARSED = "parse binary: ";

/** Reasons for what Connect itself refuses. */
const REASONS: Record<string, ErrorReason> = {
  invalid_argument: ErrorReason.MALFORMED_BODY,
  resource_exhausted: ErrorReason.TOO_LARGE,
  unimplemented: ErrorReason.UNSUPPORTED_CONTENT_TYPE,
};

async function explained(answer: UniversalServerResponse): Promise<UniversalServerResponse> {
  if (answer.status === 415) {
    const message = "send application/json or application/proto (Connect), or a gRPC content type";
    return connectError(415, { code: "invalid_argument", message }, ErrorReason.UNSUPPORTED_CONTENT_TYPE);
  }
  const type = answer.header?.get("content-type") ?? "";
  if (answer.status !== 200 && answer.body && type.startsWith("application/json")) {
    const bytes = await Array.fromAsync(answer.body);
    const error: WireError = JSON.parse(Buffer.concat(bytes).toString());
    if (error.details) return { ...answer, body: oneChunk(Buffer.concat(bytes)) };
    const unparsed = error.message?.startsWith(UNPARSED);
    const code = unparsed ? "invalid_argument" : error.code;
    return connectError(unparsed ? 400 : answer.status, { ...error, code }, REASONS[code] ?? ErrorReason.UNSPECIFIED);
  }
  if (answer.trailer && answer.body) return { ...answer, body: withTrailerExplained(answer.body, answer.trailer) };
  if (type.startsWith("application/grpc-web") && answer.body) {
    return { ...answer, body: withWebTrailerExplained(answer.body) };
  }
  return answer;
}

interface WireError {
  code: string;
  message?: string;
  details?: unknown;
}

function connectError(status: number, error: WireError, reason: ErrorReason): UniversalServerResponse {
  const detail = toBinary(ErrorDetailSchema, create(ErrorDetailSchema, { reason }));
  const value = Buffer.from(detail).toString("base64").replace(/=+$/, "");
  const details = [
    { type: ErrorDetailSchema.typeName, value, debug: { reason: ErrorReasonSchema.value[reason]?.name } },
  ];
  const body = Buffer.from(JSON.stringify({ ...error, details }));
  return { status, header: new Headers({ "content-type": "application/json" }), body: oneChunk(body) };
}

async function* oneChunk(chunk: Uint8Array): AsyncIterable<Uint8Array> {
  yield chunk;
}

const INTERNAL = `${Code.Internal}`;
const INVALID = `${Code.InvalidArgument}`;

async function* withTrailerExplained(body: AsyncIterable<Uint8Array>, trailer: Headers) {
  yield* body; // the trailer is complete when the body has been read
  const unparsed = decodeURIComponent(trailer.get("grpc-message") ?? "").startsWith(UNPARSED);
  if (unparsed && trailer.get("grpc-status") === INTERNAL) trailer.set("grpc-status", INVALID);
}

async function* withWebTrailerExplained(body: AsyncIterable<Uint8Array>) {
  for await (const chunk of body) {
    const isTrailer = ((chunk[0] ?? 0) & 0x80) !== 0; // gRPC-web sends trailers as a last, flagged frame
    const text = isTrailer ? Buffer.from(chunk.subarray(5)).toString() : "";
    if (!/grpc-message: ?parse%20binary|grpc-message: ?parse binary/i.test(text)) {
      yield chunk;
      continue;
    }
    const trailer = Buffer.from(text.replace(/(grpc-status: ?)13/i, `$1${INVALID}`));
    const head = Buffer.from(chunk.subarray(0, 5));
    head.writeUInt32BE(trailer.length, 1);
    yield Buffer.concat([head, trailer]);
  }
}
