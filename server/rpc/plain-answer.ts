import { toJson } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import { type ErrorReason, ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";
import { codeName, detailOf, RETRY_AFTER, retryDelayOf } from "./errors.ts";
import { setStatus } from "./grpc-status.ts";
import type { NodeRequest, NodeResponse } from "./one-port.ts";

/** HTTP statuses of codes, as Connect maps them (its protocol reference, "Error Codes"). */
const STATUS: Partial<Record<Code, number>> = {
  [Code.InvalidArgument]: 400,
  [Code.Unauthenticated]: 401,
  [Code.PermissionDenied]: 403,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.FailedPrecondition]: 400,
  [Code.ResourceExhausted]: 429,
  [Code.Unimplemented]: 404,
  [Code.Unavailable]: 503,
  [Code.DeadlineExceeded]: 504,
};

/** The name of a reason as plain JSON shows it: `UNKNOWN_METRIC`. */
export function reasonName(reason: ErrorReason): string {
  return (ErrorReasonSchema.value[reason]?.name ?? "").replace("ERROR_REASON_", "");
}

/** Answers a JSON document. */
export function sendJson(
  response: NodeResponse,
  status: number,
  body: unknown,
  requestId?: string,
  retryAfter?: string | null,
): void {
  const text = JSON.stringify(body);
  const headers: Record<string, string | number> = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  };
  if (requestId) headers["x-request-id"] = requestId;
  if (retryAfter) headers[RETRY_AFTER] = retryAfter;
  // Two overloads of one call: node:http and node:http2 type it apart.
  (response as { writeHead(status: number, headers: object): unknown }).writeHead(status, headers);
  response.end(text);
}

/** Answers a refusal as JSON, `{"error":{"code","reason","message","field","requestId","retryDelay"}}`, and says with which status. */
export function sendError(response: NodeResponse, error: ConnectError, requestId: string, status?: number): number {
  const { reason, field } = detailOf(error);
  const delay = retryDelayOf(error);
  const told = {
    ...{ code: codeName(error.code), reason: reasonName(reason), message: error.rawMessage, field, requestId },
    ...(delay ? { retryDelay: toJson(DurationSchema, delay) } : {}), // as `0.500s`
  };
  const sent = status ?? STATUS[error.code] ?? 500;
  sendJson(response, sent, { error: told }, requestId, error.metadata.get(RETRY_AFTER));
  return sent;
}

/** Answers a refusal in the way that the request came. `status`: over HTTP alone, where it says more than the code's own. */
export function sendRefusal(
  { headers }: NodeRequest,
  response: NodeResponse,
  error: ConnectError,
  requestId: string,
  status?: number,
): void {
  if (headers["content-type"]?.startsWith("application/grpc")) sendGrpcError(response, error, requestId);
  else sendError(response, error, requestId, status);
}

/** Answers a refusal as gRPC and gRPC-Web do: 200, and the status where the trailers would be. */
function sendGrpcError(response: NodeResponse, error: ConnectError, requestId: string): void {
  const trailer = setStatus(new Headers({ "x-request-id": requestId }), error);
  response.setHeader("content-type", "application/grpc");
  for (const [name, value] of trailer) response.setHeader(name, value);
  // Headers that end the stream: clients look for the status in no others.
  response.end();
}
