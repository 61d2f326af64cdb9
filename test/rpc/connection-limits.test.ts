import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { startApi } from "../../server/api.ts";
import type { Config } from "../../server/config.ts";
import { collect } from "../support/collect.ts";
import { TRACK_USAGE } from "../support/doors.ts";
import { END_HEADERS, FRAME, frame, headerBlock, openRaw, REFUSED_STREAM } from "../support/h2-frames.ts";
import { type Harness, setup } from "../support/harness.ts";

// What a stranger can do to the port before anybody looks at a key: each has an end, and others are served meanwhile.

async function startLimited(harness: Harness, config: Partial<Config>) {
  const api = await startApi(await harness.addApp(config));
  onTestFinished(() => api.close());
  return api;
}

const served = async (url: string) => expect((await fetch(`${url}/healthz`)).status).toBe(200);

/** Everything that comes until the other side ends the connection. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(bytes);
  return Buffer.concat(await socket.toArray().catch(() => [])).toString();
}

test("requests that do not come to their end are ended, however many there are", async () => {
  const harness = await setup();
  const api = await startLimited(harness, { headersTimeoutMs: 500, bodyTimeoutMs: 1_000 });
  const head = `POST /api/track HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;
  const key = `x-usageflow-api-key: ${harness.tenant.testKey}\r\n`;
  const slow = [
    ...Array(200).fill(head), // headers without end
    `${head}${key}content-length: 100\r\n\r\n{"metric":`,
    `${head}${key}transfer-encoding: chunked\r\n\r\n5\r\n{"met`,
  ];
  const answers = Promise.all(slow.map((bytes) => answerTo(api.port, bytes)));
  await served(api.url);
  for (const answer of await answers) {
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(answer).toContain('"reason":"OVERLOADED","message":"the request did not come in time"');
  }
  expect(await answerTo(api.port, "")).toBe("");
  expect(await answerTo(api.port, "PRI * HTTP/2.0")).toBe("");
});

test("headers that are too large are refused, over HTTP/1.1 and HTTP/2", async () => {
  const harness = await setup();
  const { api } = harness;
  const large = `GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: ${"x".repeat(20_000)}\r\n\r\n`;
  expect(await answerTo(api.port, large)).toMatch(/^HTTP\/1\.1 431 .*"reason":"TOO_LARGE"/s);
  const session = connectHttp2(api.url);
  onTestFinished(() => session.destroy());
  const ask = async (bytes: number) => {
    const stream = session.request({ ":path": "/healthz", "x-large": "x".repeat(bytes) });
    let status: unknown = "none";
    stream
      .on("error", () => {})
      .on("response", (headers) => {
        status = headers[":status"];
      });
    await once(stream.resume(), "close").catch(() => {});
    return status;
  };
  // The first is sent before the client knows of the limit.
  expect([await ask(20_000), await ask(10_000), await ask(20_000)]).toEqual(["none", 200, "none"]);
  await served(api.url);
});

test("headers that never end, end the connection", async () => {
  const { api } = await setup();
  const raw = openRaw(api.port);
  raw.write(frame(FRAME.HEADERS, 0, 1, headerBlock({ ":method": "GET", ":scheme": "http", ":path": "/healthz" })));
  const more = frame(FRAME.CONTINUATION, 0, 1, headerBlock({ "x-more": "x".repeat(100) }));
  const flood = () => {
    for (let room = true; room && !raw.socket.destroyed; ) room = raw.socket.write(more);
  };
  raw.socket.on("drain", flood).resume();
  flood();
  await raw.closed;
  await served(api.url);
});

test("a connection has a hundred calls at once, and the next one is refused", async () => {
  const { api } = await setup();
  const raw = openRaw(api.port);
  const headers = headerBlock({
    ...{ ":method": "POST", ":scheme": "http", ":path": "/api/track", ":authority": "x" },
    "content-type": "application/json",
  });
  const settings = await raw.next(({ type, flags }) => type === FRAME.SETTINGS && flags === 0);
  expect(settings?.payload.includes(Buffer.from([0, 3, 0, 0, 0, 100]))).toBe(true); // SETTINGS_MAX_CONCURRENT_STREAMS
  // Each waits for a body, at a door that has not looked at its key yet: the key is missing, so it is refused, and open.
  const open = (stream: number) => frame(FRAME.HEADERS, END_HEADERS, stream, headers);
  raw.write(...Array.from({ length: 101 }, (_, place) => open(2 * place + 1)));
  const refused = await raw.next(({ type }) => type === FRAME.RST_STREAM);
  expect([refused?.stream, refused?.payload.readUInt32BE()]).toEqual([201, REFUSED_STREAM]);
  await served(api.url);
});

test("calls that are opened and broken off by the thousand end their connection", async () => {
  const { api, tenant } = await setup();
  const raw = openRaw(api.port);
  const headers = headerBlock({
    ...{ ":method": "POST", ":scheme": "http", ":path": TRACK_USAGE, ":authority": "x" },
    ...{ "content-type": "application/grpc", "x-usageflow-api-key": tenant.testKey },
  });
  const cancel = Buffer.from([0, 0, 0, 8]);
  const goneAway = raw.next(({ type }) => type === FRAME.GOAWAY);
  for (let stream = 1; stream < 20_000 && !raw.socket.destroyed; stream += 2) {
    raw.write(frame(FRAME.HEADERS, END_HEADERS, stream, headers), frame(FRAME.RST_STREAM, 0, stream, cancel));
  }
  await goneAway; // or it was cut before that could be read
  raw.socket.resume();
  await raw.closed;
  await served(api.url);
});

test("a connection on which nothing happens is closed", async () => {
  const harness = await setup();
  const api = await startLimited(harness, { connectionIdleMs: 100 });
  const session = connectHttp2(api.url);
  await once(session, "goaway");
  await once(session, "close");
  const kept = `GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n`;
  expect(await answerTo(api.port, kept)).toMatch(/^HTTP\/1\.1 200 .*keep-alive/s); // and then its end
  await served(api.url);
});

test("a connection that has come of age takes its last call", async () => {
  const harness = await setup();
  const api = await startLimited(harness, { connectionAgeMaxMs: 60_000 });
  const session = connectHttp2(api.url);
  const call = async () => {
    const stream = session.request({ ":path": "/healthz" });
    const [headers] = await once(stream, "response");
    await once(stream.resume(), "end");
    return headers[":status"];
  };
  expect(await call()).toBe(200);
  const old = connect(api.port, "127.0.0.1");
  onTestFinished(() => void old.destroy());
  const ask = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
  old.write(ask);
  const [first] = await once(old, "data");
  expect(first.toString()).toMatch(/connection: keep-alive/i);
  harness.clock.advance(60_001);
  const goneAway = once(session, "goaway");
  expect(await call()).toBe(200);
  await goneAway;
  old.write(ask);
  const [last] = await once(old, "data");
  expect(last.toString()).toMatch(/^HTTP\/1\.1 200.*connection: close/is);
  await once(old.resume(), "close");
  await served(api.url);
});

test("more connections than there may be are closed as they come", async () => {
  const harness = await setup();
  const api = await startLimited(harness, { connectionsMax: 2 });
  const held = [connect(api.port, "127.0.0.1"), connect(api.port, "127.0.0.1")];
  onTestFinished(() => held.forEach((socket) => void socket.destroy()));
  for (const socket of held) {
    socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(socket, "data");
  }
  expect(await answerTo(api.port, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).toBe("");
  held[0]?.destroy();
  await expect
    .poll(() => answerTo(api.port, "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    .toMatch(/200/);
});

test("one machine holds three quarters of all connections, and another one still finds room; a proxy brings those of many", async () => {
  const harness = await setup();
  /** How many of ten connections from one address stay open. */
  const held = async (port: number, localAddress: string) => {
    const sockets = Array.from({ length: 10 }, () => connect({ port, host: "127.0.0.1", localAddress }));
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
    const answers = sockets.map(async (socket) => {
      socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
      return Promise.race([once(socket, "data").then(() => 1), once(socket, "close").then(() => 0)]).catch(() => 0);
    });
    return (await Promise.all(answers)).reduce((sum: number, one) => sum + one, 0);
  };
  const api = await startLimited(harness, { connectionsMax: 8 });
  expect(await held(api.port, "127.0.0.1")).toBe(6);
  expect(await held(api.port, "127.0.0.2")).toBe(2);
  const behindProxy = await startLimited(harness, { connectionsMax: 8, trustedProxies: ["127.0.0.1/32"] });
  expect(await held(behindProxy.port, "127.0.0.1")).toBe(8);
});

test("a body over HTTP/2 that does not come to its end is let go", async () => {
  const harness = await setup();
  const api = await startLimited(harness, { bodyTimeoutMs: 100 });
  for (const [path, type] of [
    [TRACK_USAGE, "application/grpc"],
    [TRACK_USAGE, "application/proto"],
    ["/api/track", "application/json"],
  ]) {
    const session = connectHttp2(api.url);
    const stream = session.request({
      ...{ ":method": "POST", ":path": path, "content-type": type },
      "x-usageflow-api-key": harness.tenant.testKey,
    });
    stream.on("error", () => {});
    // A byte now and then: the connection is never idle.
    const dribble = () => stream.write("0", () => setImmediate(() => stream.destroyed || dribble()));
    dribble();
    await once(stream, "close");
    session.close();
  }
  await served(api.url);
});

test("one machine watches health in three quarters of the places, and another one still can; Check is never refused", async () => {
  const harness = await setup();
  const { url } = await startLimited(harness, { healthWatchesMax: 4, trustedProxies: ["127.0.0.1/32"] });
  const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
  const watchFrom = (address: string) => {
    const headers = { "x-forwarded-for": address };
    const watch = collect((signal) => health.watch({}, { signal, headers }));
    const told = watch
      .until((got) => got.length > 0)
      .then(
        () => "open",
        ({ code, rawMessage }) => `${code}: ${rawMessage}`,
      );
    return { ...watch, told };
  };
  const [one, other] = ["192.0.2.1", "192.0.2.2"] as const;
  const first = watchFrom(one);
  expect([await first.told, await watchFrom(one).told, await watchFrom(one).told]).toEqual(["open", "open", "open"]);
  const refusal = "8: too many calls from this address watch health here: end one, or call Check";
  expect([await watchFrom(one).told, await watchFrom(other).told]).toEqual([refusal, "open"]);
  expect(await health.check({})).toMatchObject({ status: 1 });
  first.stop();
  await expect.poll(() => watchFrom(other).told).toBe("open");
});
