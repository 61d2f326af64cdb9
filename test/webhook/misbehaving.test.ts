import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { AttemptErrorKind, DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { answer, type Behaviour } from "../support/receiver.ts";
import { setupDeliveries } from "./deliveries.ts";

// Receivers that do what receivers do. Each is dealt with in one attempt, within its deadline, and the schedule goes on.

const config = { emulator: true, deliveryTimeoutMs: 1_000, deliveryLeaseMs: 10_000 };

/** A receiver below HTTP, at a URL: does with a connection what the test says. */
async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** Writes one byte after the other for as long as somebody listens. */
function dribble(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++] ?? "x"), 50);
  socket.on("close", () => clearInterval(timer)).on("error", () => {});
}

const HEAD = "HTTP/1.1 200 OK\r\n";

const socketBehaviours: Record<string, (socket: Socket) => void> = {
  "accepts and says nothing": () => {},
  "sends its headers slowly": (socket) => dribble(socket, `${HEAD}x: `),
  "sends a byte at a time, and never the last": (socket) => {
    socket.write(`${HEAD}content-length: 1000000\r\n\r\n`);
    dribble(socket, "");
  },
  "has headers without end": (socket) => socket.write(`${HEAD}${"x: y\r\n".repeat(10_000)}`),
  "resets in the middle of the body": (socket) => {
    socket.once("data", () => {
      socket.write(`${HEAD}content-length: 9\r\n\r\nhalf`, () => socket.resetAndDestroy());
    });
  },
  "hangs up without a word": (socket) => socket.once("data", () => socket.end()),
  "speaks another protocol": (socket) => socket.write("220 mail.example.com ESMTP\r\n"),
};

const kinds: Record<string, [keyof typeof AttemptErrorKind, RegExp]> = {
  "accepts and says nothing": ["TIMEOUT", /^no complete answer within 1 s$/],
  "sends its headers slowly": ["TIMEOUT", /^no complete answer within 1 s$/],
  "sends a byte at a time, and never the last": ["TIMEOUT", /^no complete answer within 1 s$/],
  "has headers without end": ["TOO_LARGE", /larger than 16 KiB/],
  "resets in the middle of the body": ["RESET", /^the connection broke/],
  "hangs up without a word": ["RESET", /^the connection broke/],
  "speaks another protocol": ["PROTOCOL", /not valid HTTP/],
};

async function oneAttempt(urlOf: (port: number) => string, server: ReturnType<typeof createServer>) {
  const port = await listen(server);
  const harness = await setupDeliveries(1, config);
  await harness.clients.webhook.updateEndpoint({ id: harness.endpointId, url: urlOf(port) });
  expect(await deliver(harness.app)).toBe(1);
  const { only } = harness;
  const delivery = await only();
  const attempt = delivery.attempts[0];
  if (!attempt) throw new Error("no attempt");
  return { ...harness, delivery, attempt };
}

test.each(Object.keys(socketBehaviours))("a receiver that %s", async (name) => {
  const [kind, words] = kinds[name] as [keyof typeof AttemptErrorKind, RegExp];
  const { attempt, delivery } = await oneAttempt(
    (port) => `http://127.0.0.1:${port}/`,
    createServer(socketBehaviours[name]),
  );
  expect(attempt).toMatchObject({ errorKind: AttemptErrorKind[kind], error: expect.stringMatching(words) });
  expect(delivery.state).toBe(DeliveryState.PENDING);
  expect(delivery.nextAttemptAt).toBeDefined();
});

test("a port that nobody has", async () => {
  const { attempt } = await oneAttempt(() => "http://127.0.0.1:1/", createServer());
  expect(attempt).toMatchObject({ errorKind: AttemptErrorKind.CONNECT, error: "the connection was refused" });
});

test("a receiver that accepts TLS and never agrees on it", async () => {
  const { attempt } = await oneAttempt(
    (port) => `https://127.0.0.1:${port}/`,
    createServer(() => {}),
  );
  expect([AttemptErrorKind.TLS, AttemptErrorKind.TIMEOUT]).toContain(attempt.errorKind);
});

test("a receiver that has no certificate to agree on", async () => {
  const { attempt } = await oneAttempt((port) => `https://localhost:${port}/`, createTlsServer({}));
  expect(attempt).toMatchObject({ errorKind: AttemptErrorKind.TLS, status: 0 });
});

const behaviours: Record<string, [Behaviour, Partial<Record<"status" | "errorKind", number>>]> = {
  "a body without end": [
    (response) => {
      const more = (): void => {
        while (response.write("x".repeat(16_384)));
        response.once("drain", more);
      };
      more();
    },
    { status: 200, errorKind: AttemptErrorKind.UNSPECIFIED },
  ],
  "a compressed body that would swell a thousandfold": [
    (response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(10_000_000))),
    { status: 200, errorKind: AttemptErrorKind.UNSPECIFIED },
  ],
  "301 to the metadata service": [
    answer(301, "", { location: "http://169.254.169.254/latest/meta-data" }),
    { status: 301, errorKind: AttemptErrorKind.REDIRECT },
  ],
  "307 to itself": [answer(307, "", { location: "/" }), { status: 307, errorKind: AttemptErrorKind.REDIRECT }],
};

test.each(Object.keys(behaviours))("a receiver that answers %s", async (name) => {
  const [behaviour, expected] = behaviours[name] as (typeof behaviours)[string];
  const { app, receiver, only } = await setupDeliveries(1, config);
  receiver.behave(behaviour);
  expect(await deliver(app)).toBe(1);
  const [attempt] = (await only()).attempts;
  expect(attempt).toMatchObject(expected);
  expect(attempt?.responseBody.length).toBeLessThanOrEqual(4_096);
  expect(receiver.got).toHaveLength(1);
});
