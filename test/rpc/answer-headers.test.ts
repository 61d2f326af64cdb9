import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { cors } from "@connectrpc/connect";
import { expect, onTestFinished, test } from "vitest";
import { TRACK_USAGE } from "../support/doors.ts";
import { setup } from "../support/harness.ts";

const SAFE = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};
const ORIGIN = "https://app.example.com";

test("every answer has its headers: of each route, protocol and refusal", async () => {
  const { api, tenant } = await setup();
  const key = { "x-usageflow-api-key": tenant.testKey };
  const json = { "content-type": "application/json" };
  const list = "/usageflow.v1.InvoiceService/ListInvoices";
  const cases: [string, RequestInit][] = [
    ["/healthz", {}],
    ["/readyz", {}],
    ["/nothing", {}],
    ["/api/track", { method: "POST", headers: { ...key, ...json }, body: "{}" }],
    ["/api/track", { method: "POST", headers: json, body: "{}" }],
    [list, { method: "POST", headers: { ...key, ...json }, body: "{}" }],
    [list, { method: "POST", headers: json, body: "{}" }],
    [list, { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" }],
    [
      list,
      { method: "POST", headers: { ...key, "content-type": "application/grpc-web+proto" }, body: Buffer.alloc(5) },
    ],
  ];
  for (const [path, init] of cases) {
    const { headers } = await fetch(api.url + path, init);
    expect([path, Object.fromEntries(headers)]).toEqual([path, expect.objectContaining(SAFE)]);
    expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  }
  const session = connectHttp2(api.url);
  onTestFinished(() => session.destroy());
  for (const [path, sent] of [
    [TRACK_USAGE, key],
    [TRACK_USAGE, {}],
    [list, key],
    ["/nothing", {}],
  ] as const) {
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", ...sent });
    stream.end(Buffer.alloc(5));
    const [headers] = await once(stream, "response");
    expect([path, { ...headers }]).toEqual([path, expect.objectContaining(SAFE)]);
    stream.resume();
  }
});

test("pages of no origin may call, unless it is allowed", async () => {
  const harness = await setup({ config: { corsOrigins: [ORIGIN, "http://localhost:3000"] } });
  const { api, tenant } = harness;
  const ask = async (path: string, origin: string, init: RequestInit = {}) => {
    const response = await fetch(api.url + path, { ...init, headers: { origin, ...init.headers } });
    await response.arrayBuffer();
    return response;
  };
  const preflight = (path: string, origin: string) =>
    ask(path, origin, { method: "OPTIONS", headers: { "access-control-request-method": "POST" } });
  for (const path of ["/api/track", TRACK_USAGE, "/usageflow.v1.InvoiceService/ListInvoices"]) {
    const { status, headers } = await preflight(path, ORIGIN);
    expect([path, status, headers.get("access-control-allow-origin")]).toEqual([path, 204, ORIGIN]);
    const names = headers.get("access-control-allow-headers")?.toLowerCase().split(", ");
    const own = ["authorization", "x-usageflow-api-key", "x-usageflow-tenant", "idempotency-key"];
    expect(names).toEqual(expect.arrayContaining([...own, ...cors.allowedHeaders.map((name) => name.toLowerCase())]));
    expect(headers.get("access-control-allow-methods")).toBe("POST, GET");
    expect(headers.get("access-control-allow-credentials")).toBe(null);
    expect(headers.get("vary")).toBe("origin");
  }
  const strangers = ["https://evil.example", "https://app.example.com.evil.example", "null", "http://app.example.com"];
  for (const origin of strangers) {
    const told = await preflight("/api/track", origin);
    expect([origin, told.status, told.headers.get("access-control-allow-origin")]).toEqual([origin, 405, null]);
    const answer = await ask("/healthz", origin);
    expect([origin, answer.headers.get("access-control-allow-origin")]).toEqual([origin, null]);
    expect(answer.headers.get("vary")).toBe("origin");
  }
  const headers = { "content-type": "application/json", "x-usageflow-api-key": tenant.testKey };
  const list = "/usageflow.v1.InvoiceService/ListInvoices";
  const answer = await ask(list, "http://localhost:3000", { method: "POST", headers, body: "{}" });
  expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, "http://localhost:3000"]);
  expect(answer.headers.get("access-control-expose-headers")).toMatch(/grpc-status.*x-request-id, retry-after/i);
});
