import { createHash, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { App } from "../app.ts";
import { errorFacts } from "../log.ts";
import type { NodeHandler, NodeResponse } from "../rpc/one-port.ts";

// Metrics tell how much business there is, so they are not open on the port that everybody may reach: there they need the
// token. A port of their own is for a network that only the operator reaches, and for workers, which have no other.

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const CONNECTIONS_MAX = 50;
const REQUEST_TIMEOUT_MS = 10_000;

/** A port that answers `/metrics`. */
export interface MetricsPort {
  url: string;
  close(): Promise<void>;
}

/** Answers all metrics as Prometheus reads them, to who has the token, if there is one. */
export function metricsRoute({ config, log, observer }: App): NodeHandler {
  return (request, response) => {
    if (config.metricsToken !== undefined && !isToken(config.metricsToken, request.headers.authorization)) {
      return answer(response, 401, "metrics need the token of USAGEFLOW_METRICS_TOKEN, as authorization: Bearer\n");
    }
    observer.scrape().then(
      (text) => answer(response, 200, text),
      (error) => {
        log.error("observe.not_scraped", errorFacts(error));
        answer(response, 500, "metrics could not be read; the log says why\n");
      },
    );
  };
}

/** Opens the port, if the configuration has one. */
export async function startMetricsPort(app: App): Promise<MetricsPort | undefined> {
  const { metricsPort, metricsHost } = app.config;
  if (metricsPort === undefined) return undefined;
  const route = metricsRoute(app);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    if (request.method === "GET" && request.url?.split("?", 1)[0] === "/metrics") route(request, response);
    else answer(response, 404, "there is GET /metrics\n");
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(metricsPort, metricsHost, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${metricsHost.includes(":") ? `[${metricsHost}]` : metricsHost}:${port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** In a time that tells nothing of the token. */
function isToken(token: string, authorization: string | undefined): boolean {
  const [, sent = ""] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(token), hash(sent));
}

function answer(response: NodeResponse, status: number, text: string): void {
  const headers: Record<string, string> = { "content-type": CONTENT_TYPE, "cache-control": "no-store" };
  if (status === 401) headers["www-authenticate"] = "Bearer";
  // Two overloads of one call: node:http and node:http2 type it apart.
  (response as { writeHead(status: number, headers: object): unknown }).writeHead(status, headers);
  response.end(text);
}
