import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { openConnection } from "./first-contact.ts";
import { patience } from "./patience.ts";
import type { Settings } from "./settings.ts";

const CALL_TIMEOUT_MS = 60_000;

/** Where calls go, and with which key. */
export type Server = Pick<Settings, "url" | "apiKey"> & Partial<Pick<Settings, "tenant">>;

/** Calls a server over gRPC, for generated clients. It need not be closed: an idle connection holds no process. */
export function connect(server: Server): Transport {
  return connectBy(openSession(server), server);
}

/** A connection of one's own, for streams: one that may be dead is given up with all that is on it. */
export interface Line {
  transport: Transport;
  close(): void;
}

/** Opens a connection of one's own. */
export function openLine(server: Server): Line {
  const session = openSession(server);
  return { transport: connectBy(session, server), close: () => session.abort() };
}

function openSession({ url }: Server): Http2SessionManager {
  return new Http2SessionManager(url, {}, { createConnection: (authority) => openConnection(authority) });
}

function connectBy(sessionManager: Http2SessionManager, { url, apiKey, tenant }: Server): Transport {
  const withKey: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${apiKey}`);
    if (tenant) request.header.set("x-usageflow-tenant", tenant);
    return next(request);
  };
  return createGrpcTransport({
    baseUrl: url,
    interceptors: [patience, withKey],
    defaultTimeoutMs: CALL_TIMEOUT_MS,
    sessionManager,
  });
}
