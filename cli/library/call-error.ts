import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema, ErrorReason, ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";
import type { Reason } from "./reason.ts";
import { retryAfterMs } from "./waits.ts";

const RETRY_INFO = "google.rpc.RetryInfo";
/** Why a server refuses what it may take later. */
export const BUSY: ReadonlySet<ErrorReason> = new Set([ErrorReason.OVERLOADED, ErrorReason.RATE_LIMITED]);
const BROKEN = new Set([Code.Aborted, Code.Canceled, Code.Internal, Code.ResourceExhausted]);

/** A call that failed: what the server said, or what became of the connection. */
export class UsageFlowError extends Error {
  override readonly name = "UsageFlowError";
  /** Connect's code, as it is written on the wire: `not_found`, `invalid_argument`, `unavailable`. */
  readonly code: string;
  /** Why the server refused: a closed vocabulary, to switch on. Empty when no server of ours said it. */
  readonly reason: Reason | "";
  /** Path of the field at fault, such as `events[2].amount`. Empty when there is no single one. */
  readonly field: string;
  /** Finds the call in the server's log. Empty when it did not reach a server. */
  readonly requestId: string;
  /** How long the server asks to wait before another try. */
  readonly retryAfterMs: number | undefined;

  constructor(error: ConnectError) {
    super(error.rawMessage, { cause: error });
    const [detail] = error.findDetails(ErrorDetailSchema);
    this.code = codeName(error.code);
    this.reason = (ErrorReasonSchema.value[detail?.reason ?? 0]?.localName ?? "").replace("UNSPECIFIED", "") as Reason;
    this.field = detail?.field ?? "";
    this.requestId = detail?.requestId ?? error.metadata.get("x-request-id") ?? "";
    this.retryAfterMs = retryInfoMs(error);
  }
}

/** A code as it is written on the wire: `not_found`. */
export function codeName(code: Code): string {
  return Code[code].replace(/\B[A-Z]/g, "_$&").toLowerCase();
}

/** What was thrown by a call, as the error that this package documents. */
export function asUsageFlowError(error: unknown): UsageFlowError {
  return error instanceof UsageFlowError ? error : new UsageFlowError(ConnectError.from(error));
}

/** How long a server asks to wait: by a RetryInfo among the details, as gRPC has it, or by a header. */
export function retryInfoMs(error: ConnectError): number | undefined {
  for (const detail of error.details) {
    if ("type" in detail && detail.type === RETRY_INFO) return delayMs(detail.value);
  }
  return retryAfterMs(error.metadata.get("retry-after"));
}

/** `retry_delay`, the one field of a RetryInfo. */
function delayMs(bytes: Uint8Array): number | undefined {
  try {
    const reader = new BinaryReader(bytes);
    const [field] = reader.tag();
    if (field !== 1) return undefined;
    const { seconds, nanos } = fromBinary(DurationSchema, reader.bytes());
    return Number(seconds) * 1_000 + nanos / 1_000_000;
  } catch {
    return undefined; // another's message under that name
  }
}

/** Whether the same call may succeed later, unless its caller broke it off: the connection broke, or the server is busy. */
export function isPassing(error: ConnectError): boolean {
  const [detail] = error.findDetails(ErrorDetailSchema);
  if (error.code === Code.Unavailable) return true;
  if (detail) return BUSY.has(detail.reason);
  // Without a detail it is no answer of ours, but what the transport makes of a connection that broke: over HTTP/2 even
  // CANCEL. `HTTP 400` and the like are answers of something else, which it will give again.
  return BROKEN.has(error.code) && !/^HTTP \d/.test(error.rawMessage);
}
