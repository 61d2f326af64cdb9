import { Code, type ConnectError } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { refusal } from "./errors.ts";

// Connect refuses what it cannot read by itself: without a reason, and as `internal` where bytes are no message, or are not
// compressed as they say. That is the caller's doing, and is told in the contract's form.

const UNREADABLE = /^(parse binary: |decompression failed|received compressed envelope)/;

/** Reasons for what Connect itself refuses. */
const REASONS: Partial<Record<Code, ErrorReason>> = {
  [Code.InvalidArgument]: ErrorReason.MALFORMED_BODY,
  [Code.ResourceExhausted]: ErrorReason.TOO_LARGE,
  [Code.Unimplemented]: ErrorReason.UNSUPPORTED_CONTENT_TYPE, // a compression, or two messages for one
};

/** A refusal that Connect made, with a reason. */
export function explainRefusal({ code, rawMessage }: ConnectError): ConnectError {
  const told = UNREADABLE.test(rawMessage) ? Code.InvalidArgument : code;
  return refusal(told, REASONS[told] ?? ErrorReason.UNSPECIFIED, rawMessage, fieldOf(rawMessage));
}

const WRONG_FIELD = /^cannot decode field [\w.]+Request\.(\w+) from JSON: /;
const UNKNOWN_FIELD = /^cannot decode message [\w.]+Request from JSON: key "([^"]*)" is unknown$/;

/** The field of a request that the decoder of JSON names. Of what lies deeper it names the message, and not the way there. */
function fieldOf(message: string): string {
  return (WRONG_FIELD.exec(message) ?? UNKNOWN_FIELD.exec(message))?.[1] ?? "";
}
