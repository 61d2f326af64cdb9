import { constants } from "node:http2";
import {
  Code,
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
  createContextValues,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { errorFacts } from "../log.ts";
import { answerError } from "./answer-error.ts";
import { CallRecord, recordKey } from "./call-record.ts";
import { deadline } from "./deadline.ts";
import { invalid } from "./errors.ts";
import { explained } from "./explain.ts";
import {
  accessLog,
  createGate,
  type Door,
  idempotency,
  keepRequest,
  type OpenServices,
  validate,
} from "./interceptors.ts";
import type { NodeHandler, NodeRequest, NodeResponse } from "./one-port.ts";
import { originKey, originOf } from "./origin.ts";
import { sendRefusal } from "./plain-answer.ts";

/** All RPCs, over Connect, gRPC and gRPC-Web. `fallback` answers every other path. */
export function connectHandler(
  app: App,
  door: Door,
  options: { open: OpenServices; routes: (router: ConnectRouter) => void; fallback: NodeHandler },
): NodeHandler {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip], // Brotli takes forty times as long to pack an answer, at anybody's word
    readMaxBytes: app.config.requestBytesMax,
    writeMaxBytes: 64 * 1024 * 1024,
    maxTimeoutMs: 60 * 60_000, // refused above it; ours is shorter, and holds whatever the client asks for
    requestGate: createGate(app, door, options.open),
    interceptors: [
      accessLog(app, door.refusals),
      deadline(app),
      door.admission.turns,
      validate(),
      keepRequest(),
      idempotency(),
    ],
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
    const origin = originOf(request);
    const record = new CallRecord(app, {
      method: `${handler.service.typeName}/${handler.method.name}`,
      transport: transportOf(request.headers["content-type"]),
      address: door.authenticator.addressOf(origin),
      traceparent: request.headers.traceparent?.toString(),
      streams: handler.method.methodKind !== "unary",
      quiet: options.open.has(handler.service.typeName),
    });
    const values = createContextValues().set(originKey, origin).set(recordKey, record);
    response.once("close", () => record.end(Code.Canceled)); // where nothing else has: the client is gone
    const read = readRequest(request, response, values);
    if (!read) return refuseUnreadable(app, record, request, response);
    handler(read)
      .then((answer) => explained(answer, (told) => record.end(told)))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error) => {
        app.log.warn("rpc.broken_off", { request_id: record.requestId, ...errorFacts(error) });
        if ("stream" in response) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
        else response.destroy(); // or whoever called would wait for ever
      });
  };
}

/** The request as Connect takes it; undefined: its host and path make no URL, for which Connect throws. */
function readRequest(
  request: NodeRequest,
  response: NodeResponse,
  values: ContextValues,
): UniversalServerRequest | undefined {
  try {
    return universalRequestFromNodeRequest(request, response, undefined, values);
  } catch {
    return undefined;
  }
}

function refuseUnreadable(app: App, record: CallRecord, request: NodeRequest, response: NodeResponse): void {
  const { requestId } = record;
  const error = answerError(app, invalid("", "the host cannot be read", ErrorReason.MALFORMED_BODY), requestId);
  record.end(error);
  sendRefusal(request, response, error, requestId);
}

function transportOf(contentType: string | undefined): "connect" | "grpc" | "grpc_web" {
  if (contentType?.startsWith("application/grpc-web")) return "grpc_web";
  return contentType?.startsWith("application/grpc") ? "grpc" : "connect";
}
