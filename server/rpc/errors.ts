import type { Duration } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { ErrorDetailSchema, ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";

// The whole vocabulary of refusals. A message is a lower-case phrase that says what is wrong and, where it is not plain,
// what to do. What is thrown as anything else is a fault of ours: logged, and answered as `internal`.

// Over HTTP/2 an error goes in trailers, the message even twice, and clients take some 8 KB of those. What a refusal quotes is
// its caller's, and may be of any length.
const MESSAGE_BYTES_MAX = 1_500;
const FIELD_BYTES_MAX = 300;

/** A refusal with its reason. The request id is added on the way out. */
export function refusal(code: Code, reason: ErrorReason, message: string, field = ""): ConnectError {
  return new ConnectError(shortened(message, MESSAGE_BYTES_MAX), code, undefined, [
    { desc: ErrorDetailSchema, value: { reason, field: shortened(field, FIELD_BYTES_MAX) } },
  ]);
}

function shortened(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const kept = Buffer.from(text).toString("utf8", 0, bytesMax);
  return `${kept.replace(/\uFFFD$/, "")}…`; // half a character
}

/** A field breaks a rule. `field` is its path, such as `catalog.plans[0].currency`. */
export function invalid(field: string, message: string, reason: ErrorReason = ErrorReason.INVALID_FIELD): ConnectError {
  return refusal(Code.InvalidArgument, reason, message, field);
}

/** There is no such thing, or it is another tenant's. */
export function notFound(noun: string, id: string): ConnectError {
  return refusal(Code.NotFound, ErrorReason.NOT_FOUND, `there is no ${noun} "${id}"`);
}

/** It is there already. */
export function alreadyExists(message: string, field = ""): ConnectError {
  return refusal(Code.AlreadyExists, ErrorReason.ALREADY_EXISTS, message, field);
}

/** The thing is not in a state that allows this. */
export function stateConflict(
  message: string,
  reason: ErrorReason = ErrorReason.STATE_CONFLICT,
  field = "",
): ConnectError {
  return refusal(Code.FailedPrecondition, reason, message, field);
}

/** Nobody known is calling. */
export function unauthenticated(reason: ErrorReason, message: string): ConnectError {
  return refusal(Code.Unauthenticated, reason, message);
}

/** The caller may not do this. */
export function forbidden(message: string, reason: ErrorReason = ErrorReason.PERMISSION_DENIED): ConnectError {
  return refusal(Code.PermissionDenied, reason, message);
}

/** More than a limit allows. */
export function tooLarge(message: string): ConnectError {
  return refusal(Code.ResourceExhausted, ErrorReason.TOO_LARGE, message);
}

/** The server has too much to do now. */
export function overloaded(message: string, retryMs = 1_000): ConnectError {
  return laterAgain(refusal(Code.ResourceExhausted, ErrorReason.OVERLOADED, message), retryMs);
}

/** Somebody sends more than they may. */
export function rateLimited(message: string, retryMs: number): ConnectError {
  return laterAgain(refusal(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, message), retryMs);
}

/** Says when to try again: to machines in a detail, and to everybody in the header `retry-after`, in whole seconds. */
export function laterAgain(error: ConnectError, retryMs: number): ConnectError {
  const retryDelay = { seconds: BigInt(Math.floor(retryMs / 1_000)), nanos: (retryMs % 1_000) * 1_000_000 };
  error.details.push({ desc: RetryInfoSchema, value: { retryDelay } });
  error.metadata.set(RETRY_AFTER, String(Math.ceil(retryMs / 1_000)));
  return error;
}

/** After how long to try again, where the error says so. */
export function retryDelayOf(error: ConnectError): Duration | undefined {
  return error.findDetails(RetryInfoSchema)[0]?.retryDelay;
}

/** The header that says when to try again. */
export const RETRY_AFTER = "retry-after";

/** A code as JSON, log lines and metrics write it: `not_found`. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
}

/** The reason and the field of a refusal, when it is one of ours. */
export function detailOf(error: ConnectError): { reason: ErrorReason; field: string } {
  const [detail] = error.findDetails(ErrorDetailSchema);
  return { reason: detail?.reason ?? ErrorReason.UNSPECIFIED, field: detail?.field ?? "" };
}

/** The name of the constraint that a database error broke, if it did. */
export function brokenConstraint(error: unknown): string | undefined {
  return error instanceof Error && "constraint" in error && typeof error.constraint === "string"
    ? error.constraint
    : undefined;
}
