import http from "node:http";
import http2 from "node:http2";
import type { Socket } from "node:net";
import { onDeadline } from "../clock.ts";

export type NodeRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type NodeResponse = http.ServerResponse | http2.Http2ServerResponse;
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => void;

/** What takes an HTTP/2 stream before the handler does. Answers false to leave it to the handler. */
export type StreamLane = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => boolean;

export interface OnePort {
  readonly server: http.Server;
  /**
   * Lets clients go by themselves for `ms`: each HTTP/1.1 answer says that the connection closes, and HTTP/2 clients hear that
   * they should open no more streams, so that no request is on its way to a connection that was just closed. Whoever comes
   * is still served.
   */
  retire(ms: number): Promise<void>;
  /** Stops accepting, lets what is in flight end (GOAWAY on HTTP/2), and cuts what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SNIFF_TIMEOUT_MS = 10_000;
const SILENT_MS = 250;
const IDLE_SESSION_MS = 5 * 60_000;
const CONNECTIONS_MAX = 10_000;
/** In a GOAWAY: whatever was sent is still answered (RFC 9113, 6.8). */
const STREAM_ID_MAX = 2 ** 31 - 1;

const h1Limits: http.ServerOptions = {
  noDelay: true,
  keepAlive: true,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000, // longer than the usual minute of a load balancer, which should be the one to close
  maxHeaderSize: 16 * 1024,
  connectionsCheckingInterval: 5_000,
};

const h2Limits: http2.ServerOptions = {
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  maxSessionMemory: 10,
  maxHeaderListPairs: 64,
  maxSendHeaderBlockLength: 16 * 1024,
  settings: { maxConcurrentStreams: 100, maxHeaderListSize: 16 * 1024, initialWindowSize: 1024 * 1024 },
};

/**
 * One cleartext port for HTTP/1.1 and for HTTP/2 with prior knowledge (h2c, what gRPC speaks): the first bytes of a
 * connection decide. The http.Server listens, so that its own tracking and timeouts hold; an HTTP/2 connection is handed
 * to a server that never listens.
 */
export function createOnePort(handler: NodeHandler, lane: StreamLane): OnePort {
  let retiring = false;
  const h1 = http.createServer(h1Limits, (request, response) => {
    if (retiring) response.setHeader("connection", "close");
    handler(request, response);
  });
  h1.maxConnections = CONNECTIONS_MAX;
  h1.maxRequestsPerSocket = 0; // keep-alive connections of busy backends are not cut
  const h2 = http2.createServer(h2Limits, handler);
  const sessions = new Set<http2.ServerHttp2Session>();
  const undecided = new Set<Socket>();
  h2.on("session", (session) => {
    sessions.add(session);
    session.setTimeout(IDLE_SESSION_MS, () => session.close());
    session.once("close", () => sessions.delete(session));
  });
  h2.on("sessionError", () => {}); // the session closes itself; nobody else is concerned

  // The compatibility layer of node:http2 listens for streams; the lane is asked before it.
  const toHandler = h2.listeners("stream");
  h2.removeAllListeners("stream");
  h2.on("stream", (stream, headers, ...rest) => {
    if (lane(stream, headers)) return;
    for (const listener of toHandler) listener.call(h2, stream, headers, ...rest);
  });

  const toH1 = h1.listeners("connection") as ((socket: Socket) => void)[];
  h1.removeAllListeners("connection");
  h1.on("connection", (socket: Socket) => {
    undecided.add(socket);
    sniff(socket, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) {
        // A client that closes its half is gone. Without this, a stream that waits for it to read would wait for ever.
        socket.once("end", () => socket.destroy());
        h2.emit("connection", socket);
      } else if (isHttp2 === false) for (const listener of toH1) listener.call(h1, socket);
    });
  });

  return {
    server: h1,
    retire(ms) {
      retiring = true;
      for (const session of sessions) if (!session.destroyed) session.goaway(0, STREAM_ID_MAX);
      return new Promise((resolve) => void onDeadline(ms, resolve));
    },
    async close(graceMs) {
      retiring = true;
      const closed = new Promise<void>((resolve) => h1.close(() => resolve()));
      // What is idle was closed just now; what is busy is to be closed when its answer is out.
      h1.keepAliveTimeout = 1;
      h1.keepAliveTimeoutBuffer = 0;
      // Who has just connected is about to speak; who says nothing is not waited for.
      const silent = [...undecided];
      onDeadline(Math.min(graceMs, SILENT_MS), () => {
        for (const socket of silent) if (undecided.has(socket)) socket.destroy();
      });
      for (const session of sessions) session.close();
      const cut = AbortSignal.timeout(graceMs);
      cut.addEventListener("abort", () => {
        h1.closeAllConnections();
        for (const session of sessions) session.destroy();
      });
      await closed;
    },
  };
}

/** Reads a connection's first bytes and puts them back. `decide` hears once: HTTP/2, not, or undefined when it is gone. */
function sniff(socket: Socket, decide: (isHttp2: boolean | undefined) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const settle = (isHttp2: boolean | undefined) => {
    socket.off("readable", read).off("error", drop).off("timeout", drop).off("close", gone);
    socket.setTimeout(0);
    if (isHttp2 !== undefined) socket.unshift(seen);
    decide(isHttp2);
  };
  const drop = () => void socket.destroy();
  const gone = () => settle(undefined);
  const read = () => {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, PREFACE.length);
      const isPrefix = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
      if (!isPrefix || length === PREFACE.length) return settle(isPrefix);
    }
  };
  socket.on("readable", read).on("error", drop).on("timeout", drop).on("close", gone);
  socket.setTimeout(SNIFF_TIMEOUT_MS);
}
