import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { createPost } from "../../server/webhook/webhook-client.ts";
import { answer, startReceiver } from "../support/receiver.ts";

const reach = { deliveryAllowedCidrs: [] };
const post = createPost({ ...reach, emulator: true, deliveryTimeoutMs: 10_000 });
const hasty = createPost({ ...reach, emulator: true, deliveryTimeoutMs: 250 });
const live = createPost({ ...reach, emulator: false, deliveryTimeoutMs: 10_000 });

/** A receiver below HTTP: does with the connection what the test says. */
async function startSocketServer(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("post", () => {
  test("sends JSON, and asks for no compression", async () => {
    const receiver = await startReceiver();
    receiver.behave(answer(201, "thanks"));
    const outcome = await post(`${receiver.url}?a=b`, { "webhook-id": "evt_1" }, '{"ü":1}');
    expect(outcome).toMatchObject({ failure: undefined, status: 201, responseBody: "thanks" });
    expect(outcome.durationUs).toBeGreaterThan(0);
    const [got] = receiver.got;
    expect(got).toMatchObject({ method: "POST", path: "/webhooks?a=b", body: '{"ü":1}' });
    expect(got?.headers).toMatchObject({
      "content-type": "application/json",
      "user-agent": expect.stringMatching(/^usageflow\/\d+\.\d+\.\d+$/),
      "accept-encoding": "identity",
      "webhook-id": "evt_1",
    });
  });

  test("splits the time of a new connection, and has no look-up in one that was kept", async () => {
    const receiver = await startReceiver();
    const first = await post(receiver.url, {}, "{}");
    expect(first).toMatchObject({ resolveUs: expect.any(Number), connectUs: expect.any(Number) });
    const { resolveUs = 0, connectUs = 0, firstByteUs = 0, durationUs } = first;
    expect(resolveUs + connectUs + firstByteUs).toBeLessThanOrEqual(durationUs + 3); // each is rounded
    await setImmediate();
    const second = await post(receiver.url, {}, "{}");
    expect(second.firstByteUs).toBeGreaterThan(0);
    expect(second).not.toHaveProperty("resolveUs");
    expect(second).not.toHaveProperty("connectUs");
  });

  test("keeps 4 KiB of headers, as text that PostgreSQL takes", async () => {
    const receiver = await startReceiver();
    receiver.behave(answer(200, "", { "x-first": "1", "set-cookie": "a=1", "x-large": "x".repeat(8_000) }));
    const { responseHeaders } = await post(receiver.url, {}, "{}");
    expect(responseHeaders).toMatchObject({ "x-first": "1", "set-cookie": "a=1" });
    expect(responseHeaders["x-large"]?.length).toBeGreaterThan(3_900);
    expect(Object.entries(responseHeaders).flat().join("").length).toBeLessThanOrEqual(4_096);
  });

  test("keeps the connection for the next one", async () => {
    const receiver = await startReceiver();
    const ports = new Set<number | undefined>();
    receiver.behave((response) => {
      ports.add(response.socket?.remotePort);
      response.end();
    });
    await post(receiver.url, {}, "{}");
    await setImmediate(); // the client lays the connection by in its own turn
    await post(receiver.url, {}, "{}");
    expect(ports.size).toBe(1);
  });

  test.each([300, 304, 400, 410, 429, 500, 503])("fails on %i", async (status) => {
    const receiver = await startReceiver();
    receiver.behave(answer(status));
    expect(await post(receiver.url, {}, "{}")).toMatchObject({
      status,
      failure: { kind: "STATUS", words: `the receiver answered ${status}` },
    });
  });

  test.each([301, 302, 303, 307, 308])("does not follow a %i", async (status) => {
    const receiver = await startReceiver();
    receiver.behave(answer(status, "", { location: `${receiver.url}/elsewhere` }));
    expect(await post(receiver.url, {}, "{}")).toMatchObject({
      status,
      failure: { kind: "REDIRECT", words: `the receiver answered ${status}, and redirects are not followed` },
    });
    expect(receiver.got).toHaveLength(1);
  });

  test("keeps 4 KiB of a body, and reads no more than 64 KiB of it", async () => {
    let closed = () => {};
    const hungUp = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const receiver = await startReceiver();
    receiver.behave((response) => {
      response.on("close", closed);
      response.writeHead(200);
      const more = (): void => {
        while (response.write("x".repeat(16_384)));
        response.once("drain", more);
      };
      more();
    });
    const outcome = await post(receiver.url, {}, "{}");
    expect(outcome).toMatchObject({ failure: undefined, status: 200 });
    expect(outcome.responseBody).toBe("x".repeat(4096));
    await hungUp;
  });

  test("makes text of any bytes: no NUL, and no half characters", async () => {
    const receiver = await startReceiver();
    receiver.behave((response) => response.end(Buffer.from([0x61, 0, 0xff, 0x62, 0xe2, 0x82])));
    expect((await post(receiver.url, {}, "{}")).responseBody).toBe("a\ufffdb");
  });

  test("gives up on a receiver that does not answer in time", async () => {
    const receiver = await startReceiver();
    receiver.behave(() => {});
    expect(await hasty(receiver.url, {}, "{}")).toMatchObject({
      status: 0,
      failure: { kind: "TIMEOUT", words: "no complete answer within 0.25 s" },
    });
  });

  test("gives up on a body that does not end in time, whatever the status was", async () => {
    const receiver = await startReceiver();
    receiver.behave((response) => response.writeHead(200).write("begun"));
    expect(await hasty(receiver.url, {}, "{}")).toMatchObject({
      status: 200,
      failure: { kind: "TIMEOUT", words: "no complete answer within 0.25 s" },
      responseBody: "begun",
    });
  });

  test("refuses headers of more than 16 KiB", async () => {
    const host = await startSocketServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(17 * 1024)}\r\ncontent-length: 0\r\n\r\n`);
    });
    expect(await post(`http://${host}`, {}, "{}")).toMatchObject({
      failure: { kind: "TOO_LARGE", words: "the headers of the answer are larger than 16 KiB" },
    });
  });
});

describe("what went wrong, in words", () => {
  test("the name does not resolve", async () => {
    expect(await live("http://nowhere.invalid/", {}, "{}")).toMatchObject({
      status: 0,
      failure: { kind: "DNS", words: expect.stringContaining("the name does not resolve") },
    });
  });

  test("nobody listens", async () => {
    const host = await startSocketServer(() => {});
    const [, port] = host.split(":");
    expect(await post(`http://127.0.0.2:${port}/`, {}, "{}")).toMatchObject({
      failure: { kind: "CONNECT", words: "the connection was refused" },
    });
  });

  test("the connection breaks before the answer, or within it", async () => {
    const before = await startSocketServer((socket) => socket.destroy());
    expect(await post(`http://${before}`, {}, "{}")).toMatchObject({
      status: 0,
      failure: { kind: "RESET", words: expect.stringContaining("the connection broke") },
    });
    const within = await startSocketServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));
    expect(await post(`http://${within}`, {}, "{}")).toMatchObject({
      status: 200,
      failure: { kind: "RESET", words: expect.stringContaining("the connection broke") },
    });
  });

  test("the receiver speaks no TLS", async () => {
    const receiver = await startReceiver();
    expect(await post(receiver.url.replace("http:", "https:"), {}, "{}")).toMatchObject({
      status: 0,
      failure: { kind: "TLS", words: expect.stringContaining("TLS failed") },
    });
  });

  test("the receiver speaks no HTTP", async () => {
    const host = await startSocketServer((socket) => socket.write("220 mail.example.com ESMTP\r\n"));
    expect(await post(`http://${host}`, {}, "{}")).toMatchObject({
      failure: { kind: "PROTOCOL", words: "the answer is not valid HTTP" },
    });
  });
});
