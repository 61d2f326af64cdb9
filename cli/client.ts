import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Settings } from "./settings.ts";

const CALL_TIMEOUT_MS = 60_000;

/** Calls a server over gRPC, for generated clients. It need not be closed: an idle connection holds no process. */
export function connect(settings: Settings): Transport {
  return connectBy(new Http2SessionManager(settings.url), settings);
}

/** A connection of one's own, for streams: one that may be dead is given up with all that is on it. */
export interface Line {
  transport: Transport;
  close(): void;
}

/** Opens a connection of one's own. */
export function openLine(settings: Settings): Line {
  const sessionManager = new Http2SessionManager(settings.url);
  return { transport: connectBy(sessionManager, settings), close: () => sessionManager.abort() };
}

function connectBy(sessionManager: Http2SessionManager, { url, apiKey }: Settings): Transport {
  const withKey: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${apiKey}`);
    return next(request);
  };
  return createGrpcTransport({
    baseUrl: url,
    interceptors: [withKey],
    defaultTimeoutMs: CALL_TIMEOUT_MS,
    sessionManager,
  });
}
