import http from "node:http";
import http2 from "node:http2";
import type { Socket } from "node:net";
import { ranges } from "../cidr.ts";
import { type Clock, onDeadline } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import type { Observer } from "../observe/observer.ts";
import { safetyHeaders, withAnswerHeaders } from "./answer-headers.ts";
import { answerBrokenRequest } from "./broken-request.ts";
import { connectionRoom } from "./connection-room.ts";
import { sniff } from "./sniff.ts";
import { createTlsFront, type TlsFront } from "./tls.ts";

export type NodeRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type NodeResponse = http.ServerResponse | http2.Http2ServerResponse;
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => void;

/** What takes an HTTP/2 stream before the handler does. Answers false to leave it to the handler. */
export type StreamLane = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => boolean;

export interface OnePort {
  readonly server: http.Server;
  /** Undefined: the port speaks no TLS. */
  readonly tls: TlsFront | undefined;
  /**
   * Lets clients go by themselves for `ms`: each HTTP/1.1 answer says that the connection closes, and HTTP/2 clients hear that
   * they should open no more streams, so that no request is on its way to a connection that was just closed. Whoever comes
   * is still served.
   */
  retire(ms: number): Promise<void>;
  /** Stops accepting, lets what is in flight end (GOAWAY on HTTP/2), and cuts what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const SILENT_MS = 250;
/** In a GOAWAY: whatever was sent is still answered (RFC 9113, 6.8). */
const STREAM_ID_MAX = 2 ** 31 - 1;

const h1LimitsOf = (config: Config): http.ServerOptions => ({
  noDelay: true,
  keepAlive: true,
  headersTimeout: config.headersTimeoutMs,
  requestTimeout: config.headersTimeoutMs + config.bodyTimeoutMs,
  keepAliveTimeout: config.connectionIdleMs,
  maxHeaderSize: config.headerBytesMax,
  connectionsCheckingInterval: Math.min(5_000, config.headersTimeoutMs, config.bodyTimeoutMs),
});

const h2LimitsOf = (config: Config): http2.ServerOptions => ({
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  maxSessionMemory: 10,
  maxHeaderListPairs: 64,
  maxSendHeaderBlockLength: 16 * 1024,
  // More streams that are opened and broken off than this, and the connection is ended: at once, and in a second.
  streamResetBurst: 1_000,
  streamResetRate: 33,
  settings: {
    maxConcurrentStreams: config.streamsPerConnectionMax,
    maxHeaderListSize: config.headerBytesMax,
    initialWindowSize: 1024 * 1024,
  },
});

/**
 * One port for HTTP/1.1 and for HTTP/2 with prior knowledge (what gRPC speaks): the first bytes of a connection decide, with
 * TLS as without it. The http.Server listens, so that its own tracking and timeouts hold; an HTTP/2 connection is handed to a
 * server that never listens.
 */
export async function createOnePort(
  { config, clock, log, observer }: { config: Config; clock: Clock; log: Log; observer: Observer },
  inner: NodeHandler,
  lane: StreamLane,
): Promise<OnePort> {
  let retiring = false;
  const handler = withAnswerHeaders(config, inner);
  const bornAt = new WeakMap<object, number>();
  const isOld = (connection: object) =>
    clock.now().getTime() - (bornAt.get(connection) ?? Number.POSITIVE_INFINITY) > config.connectionAgeMaxMs;
  const working = new WeakSet<Socket>();
  const h1 = http.createServer(h1LimitsOf(config), (request, response) => {
    const { socket } = request;
    if (retiring || isOld(socket)) response.shouldKeepAlive = false;
    working.add(socket);
    response.once("close", () => working.delete(socket));
    handler(request, response);
  });
  h1.maxConnections = config.connectionsMax;
  h1.timeout = config.connectionIdleMs;
  // Who hears of it ends the connection: one that is idle, and not that of a call that works for long.
  h1.on("timeout", (socket: Socket) => (isUnread(socket) || !working.has(socket)) && socket.destroy());
  h1.maxRequestsPerSocket = 0; // the connections of busy backends end by age, not by what they are used
  const headers = safetyHeaders(config);
  const countRefused = (reason: string) => observer.count("usageflow_connections_refused_total", { reason });
  h1.on("drop", () => countRefused("too_many"));
  h1.on("clientError", (error, socket) => {
    const reason = answerBrokenRequest(error, socket, headers);
    if (reason) countRefused(reason);
  });
  const h2 = http2.createServer(h2LimitsOf(config), handler);
  const sessions = new Set<http2.ServerHttp2Session>();
  const undecided = new Set<Socket>();
  const h2Sockets = new Set<Socket>();
  h2.on("session", (session) => {
    sessions.add(session);
    bornAt.set(session, clock.now().getTime());
    session.setTimeout(config.connectionIdleMs, () => session.close());
    session.once("close", () => sessions.delete(session));
  });
  h2.on("sessionError", () => {}); // the session closes itself; nobody else is concerned

  // The compatibility layer of node:http2 listens for streams; the lane is asked before it.
  const toHandler = h2.listeners("stream");
  h2.removeAllListeners("stream");
  h2.on("stream", (stream, headers, ...rest) => {
    const { session } = stream;
    if (session && isOld(session) && !session.closed) session.close(); // what is on it goes on to its end
    if (session?.pendingSettingsAck && sizeOf(headers) > config.headerBytesMax) {
      // With no error of ours, which nobody would take.
      return stream.close(http2.constants.NGHTTP2_CANCEL); // nghttp2 holds the limit once the client knows it
    }
    endSlowBody(stream, config.bodyTimeoutMs);
    if (lane(stream, headers)) return; // which sets a time of its own
    stream.setTimeout(config.connectionIdleMs, () => isUnread(stream) && stream.close(http2.constants.NGHTTP2_CANCEL));
    for (const listener of toHandler) listener.call(h2, stream, headers, ...rest);
  });

  const toH1 = h1.listeners("connection") as ((socket: Socket) => void)[];
  h1.removeAllListeners("connection");
  const decide = (socket: Socket) => {
    undecided.add(socket);
    sniff(socket, config.headersTimeoutMs, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) {
        // A client that closes its half is gone. Without this, a stream that waits for it to read would wait for ever.
        socket.once("end", () => socket.destroy());
        h2Sockets.add(socket);
        socket.once("close", () => h2Sockets.delete(socket));
        h2.emit("connection", socket);
      } else if (isHttp2 === false) {
        bornAt.set(socket, clock.now().getTime());
        for (const listener of toH1) listener.call(h1, socket);
      }
    });
  };
  const tls = config.tls
    ? await createTlsFront(config.tls, { log, handshakeTimeoutMs: config.headersTimeoutMs, onSecure: decide })
    : undefined;
  const hasRoom = connectionRoom(config.connectionsMax, ranges(...config.trustedProxies));
  h1.on("connection", (socket: Socket) => {
    if (!hasRoom(socket)) {
      countRefused("too_many");
      return socket.destroy();
    }
    if (!tls) return decide(socket);
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    tls.begin(socket);
  });

  return {
    server: h1,
    tls,
    retire(ms) {
      retiring = true;
      for (const session of sessions) if (!session.destroyed) session.goaway(0, STREAM_ID_MAX);
      return new Promise((resolve) => void onDeadline(ms, resolve));
    },
    async close(graceMs) {
      retiring = true;
      tls?.close();
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
        // Not the sessions: one that was closed waits for its client's end, even when it is destroyed.
        for (const socket of h2Sockets) socket.destroy();
      });
      await closed;
    },
  };
}

/** Bytes of headers as HTTP/2 counts them (RFC 9113, 10.5.1). */
function sizeOf(headers: http2.IncomingHttpHeaders): number {
  return Object.entries(headers).reduce((size, [name, value]) => size + name.length + String(value).length + 32, 0);
}

/** Whether there is something to read for a client that, when nothing happens for long, is not going to. */
function isUnread({ writableLength }: { writableLength: number }): boolean {
  return writableLength > 0;
}

/** Ends a stream whose body does not come to its end: over HTTP/1.1 the server's own limit holds. */
function endSlowBody(stream: http2.ServerHttp2Stream, ms: number): void {
  if (stream.endAfterHeaders) return;
  const arrived = onDeadline(ms, () => {
    if (stream.state.remoteClose !== 1) stream.close(http2.constants.NGHTTP2_CANCEL);
  });
  stream.once("end", arrived).once("close", arrived);
}
