import { cors } from "@connectrpc/connect";
import type { Config } from "../config.ts";
import { RETRY_AFTER } from "./errors.ts";
import type { NodeHandler, NodeRequest, NodeResponse } from "./one-port.ts";

const YEAR_S = 365 * 24 * 60 * 60;
const PREFLIGHT_S = 2 * 60 * 60; // the longest that browsers keep it

/** What our own clients send besides what the protocols have. */
const OWN_HEADERS = ["authorization", "x-usageflow-api-key", "x-usageflow-tenant", "idempotency-key"];
const SHOWN_HEADERS = [...cors.exposedHeaders, "x-request-id", RETRY_AFTER];

/**
 * Headers of every answer: it is data of one tenant, which nobody in between keeps, and no page, which no browser shows,
 * runs or frames.
 */
export function safetyHeaders({ tls }: Pick<Config, "tls">): Record<string, string> {
  return {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    ...(tls ? { "strict-transport-security": `max-age=${YEAR_S}` } : {}),
  };
}

/**
 * Gives every answer its headers. Pages of other origins get none that lets their browser read it, but for the origins that
 * are allowed; those are answered what they ask beforehand (preflight), too.
 */
export function withAnswerHeaders(config: Pick<Config, "tls" | "corsOrigins">, handler: NodeHandler): NodeHandler {
  const safety = Object.entries(safetyHeaders(config));
  const allowed = new Set(config.corsOrigins);
  return (request, response) => {
    for (const [name, value] of safety) response.setHeader(name, value);
    if (allowed.size > 0 && answersOrigin(allowed, request, response)) return;
    handler(request, response);
  };
}

/** Says what the page's origin may do, and whether that was all that was asked. */
function answersOrigin(
  allowed: ReadonlySet<string>,
  { method, headers }: NodeRequest,
  response: NodeResponse,
): boolean {
  response.setHeader("vary", "origin");
  const { origin } = headers;
  if (!origin || !allowed.has(origin)) return false;
  response.setHeader("access-control-allow-origin", origin);
  if (method !== "OPTIONS" || !headers["access-control-request-method"]) {
    response.setHeader("access-control-expose-headers", SHOWN_HEADERS.join(", "));
    return false;
  }
  response.setHeader("access-control-allow-methods", cors.allowedMethods.join(", "));
  response.setHeader("access-control-allow-headers", [...cors.allowedHeaders, ...OWN_HEADERS].join(", "));
  response.setHeader("access-control-max-age", String(PREFLIGHT_S));
  (response as { writeHead(status: number): unknown }).writeHead(204);
  response.end();
  return true;
}
