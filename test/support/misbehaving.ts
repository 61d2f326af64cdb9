import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from "node:tls";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { makeCertificate } from "./certificate.ts";
import { answer, startReceiver } from "./receiver.ts";

const YEAR_MS = 365 * 86_400_000;
const HEAD = "HTTP/1.1 200 OK\r\n";

/** Starts a receiver and answers its URL. It is closed when the test is finished. */
export type StartReceiver = () => Promise<string>;

async function listen(server: Server, scheme = "http", host = "127.0.0.1"): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `${scheme}://${host}:${(server.address() as AddressInfo).port}/`;
}

/** A receiver below HTTP: does with a connection what the test says, once something was sent. */
export function onConnection(behaviour: (socket: Socket) => void): StartReceiver {
  return () => listen(createServer((socket) => void socket.once("data", () => behaviour(socket))));
}

/** Writes a part again and again, for as long as somebody listens and as fast as they take it, or with a pause. */
function writeForEver(socket: Socket, part: string | Buffer, everyMs = 0): void {
  if (everyMs > 0) {
    const timer = setInterval(() => socket.write(part), everyMs);
    socket.on("close", () => clearInterval(timer));
  } else {
    const more = (): void => {
      while (!socket.destroyed && socket.write(part));
      socket.once("drain", more);
    };
    more();
  }
}

/** Answers what is no TLS. */
export const speakingPlainly = onConnection((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));

/** Receivers that hang until the deadline. */
export const hanging: Record<string, StartReceiver> = {
  "accepts and says nothing": onConnection(() => {}),
  "sends its headers a byte at a time": onConnection((socket) => {
    socket.write(`${HEAD}x: `);
    writeForEver(socket, "x", 50);
  }),
  "sends its body a byte at a time, and never the last": onConnection((socket) => {
    socket.write(`${HEAD}content-length: 1000000\r\n\r\n`);
    writeForEver(socket, "x", 50);
  }),
  "sends early hints, and nothing else": onConnection((socket) => {
    writeForEver(socket, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", 50);
  }),
};

/** Receivers that break off, or say what is not HTTP. */
export const breaking: Record<string, StartReceiver> = {
  "has headers without end": onConnection((socket) => {
    socket.write(HEAD);
    writeForEver(socket, "x: y\r\n".repeat(1_000));
  }),
  "has a header of a megabyte": onConnection((socket) => {
    socket.write(`${HEAD}x: ${"y".repeat(2 ** 20)}\r\ncontent-length: 0\r\n\r\n`);
  }),
  "resets in the middle of the body": onConnection((socket) => {
    socket.write(`${HEAD}content-length: 9\r\n\r\nhalf`, () => socket.resetAndDestroy());
  }),
  "resets before it answers": onConnection((socket) => socket.resetAndDestroy()),
  "hangs up without a word": onConnection((socket) => socket.end()),
  "switches protocols": onConnection((socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: smtp\r\n\r\n");
  }),
  "speaks another protocol": onConnection((socket) => socket.write("220 mail.example.com ESMTP\r\n")),
  "cannot count its chunks": onConnection((socket) => {
    socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\nlots\r\n`);
  }),
  "names two lengths": onConnection((socket) => {
    socket.write(`${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nab`);
  }),
};

/** Receivers whose answer is more than anybody wants, and counts. */
export const overflowing: Record<string, StartReceiver> = {
  "has a body without end": onConnection((socket) => {
    socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
    writeForEver(socket, `4000\r\n${"x".repeat(0x4000)}\r\n`);
  }),
  "has a compressed body that would swell a thousandfold": onConnection((socket) => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    socket.write(`${HEAD}connection: close\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`);
    socket.write(bomb);
  }),
};

/** A receiver at the same place that is to be spoken to by TLS. */
export const byTls = (start: StartReceiver) => async () => (await start()).replace("http:", "https:");

/** A receiver that answers a status. */
export const answering = (status: number, headers: Record<string, string>) => async () => {
  const receiver = await startReceiver();
  receiver.behave(answer(status, "", headers));
  return receiver.url;
};

/** Accepts no connection: its queue of those that wait is full. */
export const notAccepting: StartReceiver = async () => {
  const program =
    'const s = require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))';
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout as NodeJS.ReadableStream, "data");
  child.kill("SIGSTOP");
  const port = Number(line);
  const sockets = Array.from({ length: 4 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    child.kill("SIGKILL");
  });
  await Promise.all(sockets.slice(0, 2).map((socket) => once(socket, "connect")));
  return `http://127.0.0.1:${port}/`;
};

/** Receivers whose TLS is not right, in the words of OpenSSL. */
export function badTls(): Record<string, StartReceiver> {
  const later = new Date(Date.now() + YEAR_MS);
  const authority = makeCertificate({ name: "test authority", validUntil: later, authority: true });
  const usual = getCACertificates();
  setDefaultCACertificates([...usual, authority.cert]);
  onTestFinished(() => setDefaultCACertificates(usual));
  const serving = (certificate: { cert?: string; key?: string }) => () =>
    listen(
      createTlsServer(certificate, (socket) => socket.end(`${HEAD}content-length: 0\r\n\r\n`)),
      "https",
      "localhost",
    );
  const of = (name: string, validUntil: Date) => serving(makeCertificate({ name, validUntil, by: authority }));
  return {
    "": of("localhost", later), // nothing is wrong
    CERT_HAS_EXPIRED: of("localhost", new Date(Date.now() - 1_000)),
    ERR_TLS_CERT_ALTNAME_INVALID: of("example.com", later),
    DEPTH_ZERO_SELF_SIGNED_CERT: serving(makeCertificate({ name: "localhost", validUntil: later })),
    "ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE": serving({}), // no certificate at all
  };
}
