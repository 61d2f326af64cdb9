import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { openConnection } from "./first-contact.ts";
import type { Settings } from "./settings.ts";

const CALL_TIMEOUT_MS = 60_000;

/** Calls a server over gRPC, for generated clients. It need not be closed: an idle connection holds no process. */
export function connect({ url, apiKey }: Pick<Settings, "url" | "apiKey">): Transport {
  const withKey: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${apiKey}`);
    return next(request);
  };
  return createGrpcTransport({
    baseUrl: url,
    interceptors: [withKey],
    defaultTimeoutMs: CALL_TIMEOUT_MS,
    nodeOptions: { createConnection: (authority) => openConnection(authority) },
  });
}
