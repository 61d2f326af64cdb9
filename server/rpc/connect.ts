import { Code, type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { App } from "../app.ts";
import { errorFacts } from "../log.ts";
import type { Authenticator } from "./authenticate.ts";
import { CallRecord, recordKey } from "./call-record.ts";
import { explained } from "./explain.ts";
import {
  accessLog,
  createGate,
  deadline,
  idempotency,
  keepRequest,
  type OpenServices,
  validate,
} from "./interceptors.ts";
import type { NodeHandler } from "./one-port.ts";
import { originKey, originOf } from "./origin.ts";
import type { Refusals } from "./refusals.ts";

/** All RPCs, over Connect, gRPC and gRPC-Web. `fallback` answers every other path. */
export function connectHandler(
  app: App,
  authenticator: Authenticator,
  refusals: Refusals,
  options: { open: OpenServices; routes: (router: ConnectRouter) => void; fallback: NodeHandler },
): NodeHandler {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: app.config.requestBytesMax,
    writeMaxBytes: 64 * 1024 * 1024,
    maxTimeoutMs: 60 * 60_000, // refused above it; ours is shorter, and holds whatever the client asks for
    requestGate: createGate(app, authenticator, refusals, options.open),
    interceptors: [accessLog(app, refusals), deadline(app), validate(), keepRequest(), idempotency()],
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
      address: authenticator.addressOf(origin),
      traceparent: request.headers.traceparent?.toString(),
      streams: handler.method.methodKind !== "unary",
      quiet: options.open.has(handler.service.typeName),
    });
    const values = createContextValues().set(originKey, origin).set(recordKey, record);
    response.once("close", () => record.end(Code.Canceled)); // where nothing else has: the client is gone
    handler(universalRequestFromNodeRequest(request, response, undefined, values))
      .then((answer) => explained(answer, (code) => record.end(code)))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error) => app.log.warn("rpc.broken_off", { request_id: record.requestId, ...errorFacts(error) }));
  };
}

function transportOf(contentType: string | undefined): "connect" | "grpc" | "grpc_web" {
  if (contentType?.startsWith("application/grpc-web")) return "grpc_web";
  return contentType?.startsWith("application/grpc") ? "grpc" : "connect";
}
