import { randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { refusal } from "./errors.ts";

// Connect refuses what it cannot parse before any code of ours runs: without a reason, and as `internal` where the bytes
// are no protobuf message. Those answers are put into the contract's form here.

/** Hears with which code Connect itself refused a call. */
type OnRefused = (code: Code) => void;

/** The answer, with a reason and the request id if Connect itself made it and it is a refusal. */
export async function explained(
  answer: UniversalServerResponse,
  onRefused: OnRefused,
): Promise<UniversalServerResponse> {
  const unary = (error: ConnectError, status?: number) => {
    onRefused(error.code);
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
  if (answer.status === 200 || type !== "application/json") return answer;
  const bytes = Buffer.concat(await Array.fromAsync(answer.body));
  const error = errorFromJsonBytes(bytes, undefined, new ConnectError("", Code.Unknown));
  return error.details.length > 0 ? { ...answer, body: oneChunk(bytes) } : unary(explain(error));
}

const UNPARSED = "parse binary: ";

/** Reasons for what Connect itself refuses. */
const REASONS: Partial<Record<Code, ErrorReason>> = {
  [Code.InvalidArgument]: ErrorReason.MALFORMED_BODY,
  [Code.ResourceExhausted]: ErrorReason.TOO_LARGE,
  [Code.Unimplemented]: ErrorReason.UNSUPPORTED_CONTENT_TYPE, // a compression, or two messages for one
};

function explain({ code, rawMessage }: ConnectError): ConnectError {
  const told = rawMessage.startsWith(UNPARSED) ? Code.InvalidArgument : code;
  return refusal(told, REASONS[told] ?? ErrorReason.UNSPECIFIED, rawMessage);
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
  explainTrailer(trailer, header, onRefused);
}

async function* withWebTrailer(body: AsyncIterable<Uint8Array>, header: Headers | undefined, onRefused: OnRefused) {
  for await (const chunk of body) {
    const isTrailer = ((chunk[0] ?? 0) & trailerFlag) !== 0; // gRPC-Web sends trailers as a last, flagged frame
    const trailer = isTrailer ? trailerParse(chunk.subarray(5)) : undefined;
    if (!trailer || !explainTrailer(trailer, header, onRefused)) {
      yield chunk;
      continue;
    }
    const text = trailerSerialize(trailer);
    const head = Buffer.from(chunk.subarray(0, 5));
    head.writeUInt32BE(text.length, 1);
    yield Buffer.concat([head, text]);
  }
}

/** Whether the trailer told of a refusal without a reason; it has one now. */
function explainTrailer(trailer: Headers, header: Headers | undefined, onRefused: OnRefused): boolean {
  const error = findTrailerError(trailer);
  if (!error || error.details.length > 0) return false;
  const told = explain(error);
  onRefused(told.code);
  setTrailerStatus(trailer, withRequestId(told, header?.get(REQUEST_ID) ?? randomUUID()));
  return true;
}
