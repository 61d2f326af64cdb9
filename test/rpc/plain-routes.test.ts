import { connect } from "node:http2";
import { expect, test } from "vitest";
import { TRACK_USAGE } from "../support/doors.ts";
import { setup } from "../support/harness.ts";
import { connectJson, grpc, grpcWeb } from "../support/wire.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function ask(url: string, method: string) {
  const response = await fetch(url, { method });
  const body = JSON.parse(await response.text());
  return { status: response.status, requestId: response.headers.get("x-request-id") ?? "", body };
}

test("a path or a method that is not there is refused readably, with what is", async () => {
  const { api } = await setup();
  const cases: [string, string, number, RegExp][] = [
    ["GET", "/api/track", 405, /^\/api\/track takes POST, not GET$/],
    ["PUT", "/api/track?x=1", 405, /takes POST/],
    ["POST", "/healthz", 405, /takes GET/],
    ["GET", "/", 404, /RPCs are at POST \/usageflow\.v1/],
    ["POST", "/api/track/", 404, /nothing at POST \/api\/track\//],
    ["GET", "//", 404, /nothing/],
    ["POST", "/usageflow.v1.UsageService/Forget", 404, /nothing/],
    ["POST", "/usageflow.v1.usageService/TrackUsage", 404, /nothing/],
  ];
  for (const [method, path, status, message] of cases) {
    const answer = await ask(api.url + path, method);
    expect([method, path, answer.status, answer.body.error]).toMatchObject([
      method,
      path,
      status,
      { code: "unimplemented", reason: "UNKNOWN_ROUTE", requestId: answer.requestId },
    ]);
    expect(answer.body.error.message).toMatch(message);
    expect(answer.requestId).toMatch(UUID);
  }
});

test("a gRPC client that calls an unknown method is told so in gRPC", async () => {
  const { api } = await setup();
  for (const wire of [grpc, grpcWeb]) {
    const answer = await wire({ url: api.url, path: `${TRACK_USAGE}s`, body: "" });
    expect(answer).toMatchObject({ status: 200, code: "unimplemented", reason: "UNKNOWN_ROUTE" });
    expect(answer.requestId).toMatch(UUID);
  }
});

test("a method that changes something is not called with GET", async () => {
  const { api } = await setup();
  const answer = await ask(`${api.url}/usageflow.v1.TenantService/CreateApiKey?encoding=json&message={}`, "GET");
  expect([answer.status, answer.body.code]).toEqual([405, "unimplemented"]);
  expect(answer.body.details[0].debug.reason).toBe("ERROR_REASON_UNKNOWN_ROUTE");
  expect(answer.requestId).toMatch(UUID);
});

test("a method that only reads may be called with GET, and carries zero values in JSON", async () => {
  const { api, tenant } = await setup();
  const headers = { "x-usageflow-api-key": tenant.testKey };
  const response = await fetch(`${api.url}/usageflow.v1.InvoiceService/ListInvoices?encoding=json&message={}`, {
    headers,
  });
  expect([response.status, await response.json()]).toEqual([200, { invoices: [], nextPageToken: "" }]);
  const post = { url: api.url, path: "/usageflow.v1.InvoiceService/ListInvoices", headers, body: "{}" };
  expect(Buffer.from((await connectJson(post)).body).toString()).toBe('{"invoices":[],"nextPageToken":""}');
});

test("health is answered over HTTP/1.1 and HTTP/2, and readiness depends on the database", async () => {
  const { api, app } = await setup();
  expect(await ask(`${api.url}/healthz`, "GET")).toMatchObject({ status: 200, body: { status: "alive" } });
  expect(await ask(`${api.url}/readyz`, "GET")).toMatchObject({ status: 200, body: { status: "ready" } });
  const session = connect(api.url);
  const stream = session.request({ ":path": "/readyz" });
  const status = await new Promise((resolve) => stream.on("response", (headers) => resolve(headers[":status"])));
  session.destroy();
  expect(status).toBe(200);
  await app.db.destroy();
  const down = await ask(`${api.url}/readyz`, "GET");
  expect(down).toMatchObject({ status: 503, body: { status: "not_ready", reasons: ["the database does not answer"] } });
  expect(await ask(`${api.url}/healthz`, "GET")).toMatchObject({ status: 200 });
});
