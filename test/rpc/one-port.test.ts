import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import { TrackUsageRequestSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { systemClock } from "../../server/clock.ts";
import { type Config, defaults } from "../../server/config.ts";
import { createLog } from "../../server/log.ts";
import { unobserved } from "../../server/observe/observer.ts";
import { createOnePort, type NodeHandler } from "../../server/rpc/one-port.ts";
import { catalog } from "../support/catalog.ts";
import { TRACK_USAGE } from "../support/doors.ts";
import { setup } from "../support/harness.ts";
import { frameOf } from "../support/wire.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]); // an empty SETTINGS frame

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Everything that comes until the other side closes, or until `enough` of it is there. */
async function readUntil(socket: Socket, enough: (got: Buffer) => boolean = () => false): Promise<Buffer> {
  let got = Buffer.alloc(0);
  for await (const chunk of socket) {
    got = Buffer.concat([got, chunk]);
    if (enough(got)) break;
  }
  return got;
}

/** One byte at a time, each in a packet of its own as far as the kernel lets it. */
async function trickle(socket: Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A port with a handler of the test's own. */
async function startPort(handler: NodeHandler) {
  const parts = {
    config: { ...defaults } as Config,
    clock: systemClock,
    log: createLog("silent"),
    observer: unobserved,
  };
  const onePort = await createOnePort(parts, handler, () => false);
  await new Promise<void>((resolve) => onePort.server.listen(0, "127.0.0.1", resolve));
  const { port } = onePort.server.address() as { port: number };
  return { onePort, port, url: `http://127.0.0.1:${port}` };
}

test("an HTTP/1.1 request that comes byte by byte is answered", async () => {
  const { api, tenant, clients } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const body = '{"metric":"API_CALL","amount":1,"customerId":"c","idempotencyKey":"a"}';
  const socket = await open(api.port);
  const head = `POST /api/track HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n`;
  const rest = `x-usageflow-api-key: ${tenant.testKey}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  await trickle(socket, Buffer.from(head + rest));
  expect((await readUntil(socket)).toString()).toMatch(/^HTTP\/1\.1 200 OK.*"accepted"/s);
});

test("a request whose method begins as the HTTP/2 preface does is HTTP/1.1", async () => {
  const { api } = await setup();
  for (const method of ["PROPFIND", "PUT", "PATCH"]) {
    const socket = await open(api.port);
    await trickle(socket, Buffer.from(`${method} /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`));
    expect([method, (await readUntil(socket)).toString()]).toEqual([
      method,
      expect.stringMatching(/^HTTP\/1\.1 40[04]/),
    ]);
  }
});

test("an HTTP/2 preface that comes byte by byte, or all at once with the first request, is answered", async () => {
  const { api } = await setup();
  const slow = await open(api.port);
  await trickle(slow, Buffer.concat([PREFACE, SETTINGS]));
  expect((await readUntil(slow, (got) => got.length >= 9))[3]).toBe(4); // a SETTINGS frame
  const fast = await open(api.port);
  fast.write(Buffer.concat([PREFACE, SETTINGS]));
  expect((await readUntil(fast, (got) => got.length >= 9))[3]).toBe(4);
});

test("garbage after half a preface ends the connection, and only that one", async () => {
  const { api } = await setup();
  for (const cut of [1, 4, 16, 23]) {
    const socket = await open(api.port);
    socket.write(Buffer.concat([PREFACE.subarray(0, cut), Buffer.from("\0garbage\r\n\r\n")]));
    const got = await readUntil(socket);
    expect([cut, got.toString()]).toEqual([cut, expect.stringMatching(/^(HTTP\/1\.1 400|$)/)]);
  }
  const broken = await open(api.port);
  broken.on("error", () => {});
  broken.write(Buffer.concat([PREFACE, Buffer.from("this is no frame at all")]));
  await readUntil(broken).catch(() => {});
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
});

test("a connection that says nothing, or goes before it said enough, disturbs nobody", async () => {
  const { api } = await setup();
  const silent = await open(api.port);
  const half = await open(api.port);
  half.write(PREFACE.subarray(0, 10));
  half.destroy();
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  const closed = once(silent, "close");
  silent.resume();
  await api.close(); // does not wait for who never spoke
  await closed;
});

test("close lets calls in flight end, over HTTP/1.1 and HTTP/2, and takes no new ones", async () => {
  const arrived: (() => void)[] = [];
  const { onePort, port, url } = await startPort((_, response) => {
    arrived.push(() => response.end("done"));
  });
  const h1 = fetch(url).then((response) => response.text());
  const session = connectHttp2(url);
  const stream = session.request({ ":path": "/" });
  const h2 = stream.toArray().then((chunks) => Buffer.concat(chunks).toString());
  while (arrived.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const closed = onePort.close(60_000);
  await expect(open(port)).rejects.toThrow(/ECONNREFUSED/);
  for (const finish of arrived) finish();
  expect(await Promise.all([h1, h2])).toEqual(["done", "done"]);
  await closed;
});

test("close does not wait for a client that never reads its answer", async () => {
  const { onePort, url } = await startPort((_, response) => void response.end("done"));
  const session = connectHttp2(url);
  onTestFinished(() => session.destroy());
  await once(session.request({ ":path": "/" }), "response");
  await onePort.close(1);
});

test("close cuts what is still there after the grace", async () => {
  const { onePort, url } = await startPort(() => {});
  const h1 = fetch(url).catch(() => "cut");
  const session = connectHttp2(url);
  session.on("error", () => {});
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => {});
  const ended = once(stream, "close");
  await once(session, "remoteSettings");
  await onePort.close(1);
  expect(await h1).toBe("cut");
  await ended;
});

test("a call that begins a message and never ends it is let go", async () => {
  const { api, tenant } = await setup({ config: { requestTimeoutMs: 50 } });
  const request = create(TrackUsageRequestSchema, { events: [{ metric: "API_CALL", amount: "1", customerId: "c" }] });
  const frame = frameOf(0, toBinary(TrackUsageRequestSchema, request));
  for (const [path, type] of [
    [TRACK_USAGE, "application/grpc"],
    ["/api/track", "application/json"],
  ]) {
    const session = connectHttp2(api.url);
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": type,
      "x-usageflow-api-key": tenant.testKey,
    });
    stream.on("error", () => {});
    stream.write(frame.subarray(0, 7));
    await once(stream, "close");
    session.close();
  }
});
