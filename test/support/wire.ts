import { type ClientHttp2Session, connect } from "node:http2";
import { gunzipSync, gzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { type ErrorDetail, ErrorDetailSchema, ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";

/** One call as bytes, so that a test can send what no client would. */
export interface WireCall {
  /** Of the server. */
  url: string;
  /** Such as `/usageflow.v1.UsageService/TrackUsage`. */
  path: string;
  /** The message as the protocol has it: JSON, or protobuf. */
  body: Uint8Array | string;
  headers?: Record<string, string>;
  /** The HTTP/2 connection to use, which stays open. Left out: gRPC has one of its own for the call. */
  session?: ClientHttp2Session;
}

/** What came back, in the same form from every protocol. */
export interface WireAnswer {
  /** HTTP's. */
  status: number;
  /** `ok`, or Connect's name of the code: `invalid_argument`. */
  code: string;
  /** Without its prefix: `UNKNOWN_METRIC`. Empty when there is none. */
  reason: string;
  field: string;
  message: string;
  requestId: string;
  /** When to try again: the header in seconds, and the detail in milliseconds. Left out: it is not said. */
  retry?: { afterSeconds: string | null; delayMs: number };
  /** The answer's message when it is `ok`, as the protocol has it. */
  body: Uint8Array;
}

/** A protocol: how bytes become a call. */
export type Wire = (call: WireCall) => Promise<WireAnswer>;

/** Connect with JSON. */
export const connectJson: Wire = (call) => connectWith(call, "application/json");

/** Connect with protobuf. */
export const connectProto: Wire = (call) => connectWith(call, "application/proto");

async function connectWith(call: WireCall, type: string): Promise<WireAnswer> {
  const headers = { "content-type": type, ...call.headers };
  const response = await fetch(call.url + call.path, {
    method: "POST",
    headers,
    body: call.body as NonNullable<RequestInit["body"]>,
  });
  return connectAnswer(response);
}

async function connectAnswer(response: Response): Promise<WireAnswer> {
  const body = new Uint8Array(await response.arrayBuffer());
  const told = { status: response.status, body, requestId: response.headers.get("x-request-id") ?? "" };
  if (response.ok) return { ...told, code: "ok", reason: "", field: "", message: "" };
  return {
    ...told,
    ...connectError(JSON.parse(Buffer.from(body).toString()), told.requestId, response.headers),
  };
}

/** Connect's form of an error, with JSON. */
interface ConnectErrorJson {
  code: string;
  message?: string;
  details?: { type: string; value: string }[];
}

function connectError({ code, message = "", details }: ConnectErrorJson, requestId: string, headers: Headers) {
  const bytesOfDetail = (name: string) => {
    const detail = details?.find(({ type }) => type === name);
    return detail && Buffer.from(detail.value, "base64");
  };
  const detail = bytesOfDetail(ErrorDetailSchema.typeName);
  const retry = bytesOfDetail(RetryInfoSchema.typeName);
  return {
    ...{ code, message },
    ...facts(detail && fromBinary(ErrorDetailSchema, detail), requestId),
    ...retryOf(headers, retry && fromBinary(RetryInfoSchema, retry).retryDelay),
  };
}

/** Connect's GET, for methods that only read: the message, as JSON, is in the query. */
export const connectGet: Wire = async ({ url, path, body, headers = {} }) => {
  const message = Buffer.from(body).toString("base64url");
  const query = new URLSearchParams({ connect: "v1", encoding: "json", base64: "1", message });
  return connectAnswer(await fetch(`${url}${path}?${query}`, { headers }));
};

/** Connect with JSON, for a method that streams: frames there and back, of which the last one tells how it ended. */
export const connectStream: Wire = async (call) => {
  const headers = { "content-type": "application/connect+json", ...call.headers };
  const body = frameOf(0, bytesOf(call.body)) as NonNullable<RequestInit["body"]>;
  const response = await fetch(call.url + call.path, { method: "POST", headers, body });
  const bytes = Buffer.from(await response.arrayBuffer());
  const told = { status: response.status, body: bytes, requestId: response.headers.get("x-request-id") ?? "" };
  const isFramed = response.headers.get("content-type")?.startsWith("application/connect") ?? false;
  let end = isFramed ? Buffer.alloc(0) : bytes;
  for (let at = 0; isFramed && at < bytes.length; at += 5 + bytes.readUInt32BE(at + 1)) {
    if (((bytes[at] ?? 0) & 2) !== 0) end = bytes.subarray(at + 5, at + 5 + bytes.readUInt32BE(at + 1));
  }
  const last = JSON.parse(end.toString());
  const error: ConnectErrorJson | undefined = isFramed ? last.error : last;
  return {
    ...told,
    code: "ok",
    reason: "",
    field: "",
    message: "",
    ...(error && connectError(error, told.requestId, response.headers)),
  };
};

/** gRPC over HTTP/2: for TrackUsage, the lane. */
export const grpc: Wire = (call) => grpcWith(call, frameOf(0, bytesOf(call.body)), {});

/** gRPC with a compressed message, which the lane leaves to Connect. */
export const grpcGzip: Wire = (call) =>
  grpcWith(call, frameOf(1, gzipSync(bytesOf(call.body))), { "grpc-encoding": "gzip" });

/** gRPC with a body that is not even framed. */
export const grpcUnframed: Wire = (call) => grpcWith(call, bytesOf(call.body), {});

function grpcWith(call: WireCall, frame: Uint8Array, more: Record<string, string>): Promise<WireAnswer> {
  const session = call.session ?? connect(call.url);
  return new Promise<WireAnswer>((resolve, reject) => {
    session.once("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": call.path,
      "content-type": "application/grpc",
      te: "trailers",
      ...more,
      ...call.headers,
    });
    const trailer = new Headers();
    let status = 0;
    const take = (headers: object) => {
      for (const [name, value] of Object.entries(headers)) if (!name.startsWith(":")) trailer.set(name, String(value));
    };
    const chunks: Buffer[] = [];
    stream.on("response", (headers) => {
      status = headers[":status"] ?? 0;
      take(headers);
    });
    stream.on("trailers", take);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      session.off("error", reject);
      resolve(grpcAnswer(status, trailer, Buffer.concat(chunks)));
    });
    if (frame.length > 0) stream.write(frame); // node:http2 never ends a stream after an empty chunk
    stream.end();
  }).finally(() => {
    if (session !== call.session) session.close();
  });
}

/** gRPC-Web over HTTP/1.1. */
export const grpcWeb: Wire = async (call) => {
  const headers = { "content-type": "application/grpc-web+proto", ...call.headers };
  const body = frameOf(0, bytesOf(call.body)) as NonNullable<RequestInit["body"]>;
  const response = await fetch(call.url + call.path, { method: "POST", headers, body });
  const trailer = new Headers(response.headers);
  const bytes = Buffer.from(await response.arrayBuffer());
  let messageEnd = bytes.length;
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt32BE(at + 1)) {
    if (((bytes[at] ?? 0) & 0x80) === 0) continue; // the flagged frame holds the trailers
    messageEnd = at;
    for (const line of bytes
      .subarray(at + 5)
      .toString()
      .trim()
      .split("\r\n")) {
      const colon = line.indexOf(":");
      trailer.set(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    break;
  }
  return grpcAnswer(response.status, trailer, bytes.subarray(0, messageEnd));
};

function grpcAnswer(status: number, trailer: Headers, body: Buffer): WireAnswer {
  const error = trailer.has("grpc-status") ? findTrailerError(trailer) : undefined;
  const requestId = trailer.get("x-request-id") ?? "";
  const first = body.subarray(5, body.length < 5 ? undefined : 5 + body.readUInt32BE(1)); // a stream has more
  const message = body[0] === 1 ? gunzipSync(first) : first;
  if (!error) {
    const code = trailer.has("grpc-status") ? "ok" : "";
    return { status, code, reason: "", field: "", message: "", requestId, body: message };
  }
  const [detail] = error.findDetails(ErrorDetailSchema);
  const retry = retryOf(trailer, error.findDetails(RetryInfoSchema)[0]?.retryDelay);
  const told = { status, code: codeName(error.code), message: error.rawMessage, body: message };
  return { ...told, ...facts(detail, requestId), ...retry };
}

function retryOf(headers: Headers, delay: Duration | undefined): Pick<WireAnswer, "retry"> {
  const afterSeconds = headers.get("retry-after");
  if (!delay && afterSeconds === null) return {};
  return { retry: { afterSeconds, delayMs: delay ? Number(delay.seconds) * 1_000 + delay.nanos / 1e6 : -1 } };
}

function facts(detail: ErrorDetail | undefined, requestId: string) {
  const name = detail ? (ErrorReasonSchema.value[detail.reason]?.name ?? "") : "";
  return {
    reason: name.replace(/^ERROR_REASON_(UNSPECIFIED)?/, ""),
    field: detail?.field ?? "",
    // The detail's and the header's must be one.
    requestId: detail?.requestId === requestId ? requestId : `${detail?.requestId} is not ${requestId}`,
  };
}

function codeName(code: Code): string {
  return Code[code].replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
}

/** A message in gRPC's frame: a flag, the length, the bytes. */
export function frameOf(flag: number, message: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = flag;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

function bytesOf(body: Uint8Array | string): Uint8Array {
  return typeof body === "string" ? Buffer.from(body) : body;
}
