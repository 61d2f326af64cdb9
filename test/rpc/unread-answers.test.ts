import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startApi } from "../../server/api.ts";
import { type Harness, setup } from "../support/harness.ts";

// Who asks and does not read holds what was answered in the memory of the server.

async function startImpatient(harness: Harness) {
  const api = await startApi(await harness.addApp({ connectionIdleMs: 300 }));
  onTestFinished(() => api.close());
  return api;
}

test("a connection whose client asks and reads nothing is ended, over HTTP/1.1", async () => {
  const api = await startImpatient(await setup());
  const socket = connect(api.port, "127.0.0.1").pause();
  onTestFinished(() => void socket.destroy());
  const ended = once(socket, "close").catch((error) => error);
  socket.on("error", () => {});
  const asking = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(10_000);
  for (let at = 0; at < 100; at++) socket.write(asking);
  await ended;
  expect(socket.destroyed).toBe(true);
});

test("a connection whose client asks and reads nothing is ended, over HTTP/2", async () => {
  const harness = await setup();
  const api = await startImpatient(harness);
  const session = connectHttp2(api.url, { settings: { initialWindowSize: 1 } });
  onTestFinished(() => session.destroy());
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": "/usageflow.v1.WebhookService/ListEventTypes",
    "content-type": "application/json",
    "x-usageflow-api-key": harness.tenant.testKey,
  });
  stream.on("error", () => {}).pause();
  stream.end("{}");
  await once(session, "close");
  expect(stream.destroyed).toBe(true);
});
