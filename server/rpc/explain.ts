import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamFromJson,
  endStreamToJson,
  errorFromJsonBytes,
  errorToJsonBytes,
} from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { explainRefusal } from "./connect-refusal.ts";
import { refusal } from "./errors.ts";
import { encodeMessage, setStatus } from "./grpc-status.ts";

// Connect refuses what it cannot parse before any code of ours runs: without a reason, and as `internal` where the bytes
// are no protobuf message. Those answers are put into the contract's form here.

/** Hears what a call was told that Connect itself refused. */
type OnRefused = (told: ConnectError) => void;

/** The answer, with a reason and the request id if Connect itself made it and it is a refusal. */
export async function explained(
  answer: UniversalServerResponse,
  onRefused: OnRefused,
): Promise<UniversalServerResponse> {
  const unary = (error: ConnectError, status?: number) => {
    onRefused(error);
    return unaryAnswer(error, answer, status);
  };
  if (answer.status === 415) {
    const message = "send application/json or application/proto (Connect), or a gRPC content type";
    return unary(refusal(Code.InvalidArgument, ErrorReason.UNSUPPORTED_CONTENT_TYPE, message), 415);
  }
  if (answer.status === 405) {
    const message = "this method changes something: call it with POST";
    return unary(refusal(Code.Unimplemented, ErrorReason.UNKNOWN_ROUTE, message), 405);
  }
  if (!answer.body) return answer;
  const type = answer.header?.get("content-type") ?? "";
  if (answer.trailer) return { ...answer, body: withTrailer(answer.body, answer.trailer, answer.header, onRefused) };
  if (type.startsWith("application/grpc-web")) {
    return { ...answer, body: withWebTrailer(answer.body, answer.header, onRefused) };
  }
  if (type.startsWith("application/connect+")) {
    return { ...answer, body: withStreamEnd(answer.body, answer.header, onRefused) };
  }
  if (answer.status === 200 || type !== "application/json") return answer;
  const bytes = Buffer.concat(await Array.fromAsync(answer.body));
  const json = await decompressed(bytes, answer.header?.get("content-encoding") ?? "");
  const error = errorFromJsonBytes(json, undefined, new ConnectError("", Code.Unknown));
  return error.details.length > 0 ? { ...answer, body: oneChunk(bytes) } : unary(explainRefusal(error));
}

/** What an answer says: one that is long comes compressed. */
async function decompressed(bytes: Buffer, encoding: string): Promise<Buffer> {
  return encoding === "gzip" ? promisify(gunzip)(bytes) : bytes;
}

const REQUEST_ID = "x-request-id";

function withRequestId(error: ConnectError, requestId: string): ConnectError {
  for (const detail of error.details) if ("desc" in detail) Object.assign(detail.value, { requestId });
  return error;
}

function unaryAnswer(
  error: ConnectError,
  { header }: UniversalServerResponse,
  status?: number,
): UniversalServerResponse {
  const requestId = header?.get(REQUEST_ID) ?? randomUUID();
  const body = errorToJsonBytes(withRequestId(error, requestId), {});
  return {
    status: status ?? codeToHttpStatus(error.code),
    header: new Headers({ "content-type": "application/json", [REQUEST_ID]: requestId }),
    body: oneChunk(body),
  };
}

async function* oneChunk(chunk: Uint8Array): AsyncIterable<Uint8Array> {
  yield chunk;
}

async function* withTrailer(
  body: AsyncIterable<Uint8Array>,
  trailer: Headers,
  header: Headers | undefined,
  onRefused: OnRefused,
) {
  yield* body; // the trailer is complete when the body has been read
  if (!explainTrailer(trailer, header, onRefused)) encodeMessage(trailer);
}

async function* withWebTrailer(
  body: AsyncIterable<Uint8Array>,
  header: Headers | undefined,
  onRefused: OnRefused,
): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    const isTrailer = ((chunk[0] ?? 0) & trailerFlag) !== 0; // gRPC-Web sends trailers as a last, flagged frame
    const trailer = isTrailer ? trailerParse(chunk.subarray(5)) : undefined;
    if (!trailer || !explainTrailer(trailer, header, onRefused)) yield chunk;
    else yield framed(chunk[0] ?? 0, trailerSerialize(trailer));
  }
}

/** Connect says how a stream ended in a last, flagged frame, which is compressed only when it is long. */
async function* withStreamEnd(
  body: AsyncIterable<Uint8Array>,
  header: Headers | undefined,
  onRefused: OnRefused,
): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    const end = chunk[0] === endStreamFlag ? endStreamFromJson(chunk.subarray(5)) : undefined;
    if (!end?.error || end.error.details.length > 0) {
      yield chunk;
      continue;
    }
    const told = explainRefusal(end.error);
    onRefused(told);
    const error = withRequestId(told, header?.get(REQUEST_ID) ?? randomUUID());
    yield framed(endStreamFlag, Buffer.from(JSON.stringify(endStreamToJson(end.metadata, error, undefined))));
  }
}

function framed(flag: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Whether the trailer told of a refusal without a reason; it has one now. */
function explainTrailer(trailer: Headers, header: Headers | undefined, onRefused: OnRefused): boolean {
  const error = findTrailerError(trailer);
  if (!error || error.details.length > 0) return false;
  const told = explainRefusal(error);
  onRefused(told);
  setStatus(trailer, withRequestId(told, header?.get(REQUEST_ID) ?? randomUUID()));
  return true;
}
