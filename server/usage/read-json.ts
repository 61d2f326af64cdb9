import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { type UsageEvent, UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { invalid } from "../rpc/errors.ts";
import type { Rejection } from "./check-event.ts";

// Digits that a JavaScript number may not hold: after a point, in an exponent, or 16 in a row.
const LOSSY = /[0-9][.eE]|[0-9]{16}/;

// Where a number is a mistake, and stays one.
const TEXT_FIELDS = new Set(["metric", "customerId", "idempotencyKey", "occurredAt"]);

/** Parses JSON so that numbers keep all their digits: where any could lose some, numbers become their source text. */
export function parseExactJson(text: string): JsonValue {
  try {
    // The reviver sees each number's source, but costs several times the parse: only where it is needed.
    if (!LOSSY.test(text)) return JSON.parse(text);
    const exact = (key: string, value: unknown, { source }: { source: string }) =>
      typeof value === "number" && !TEXT_FIELDS.has(key) ? source : value;
    return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw invalid("", `the body is not valid JSON: ${problem}`, ErrorReason.MALFORMED_BODY);
  }
}

/** The event that a JSON value says, or why it says none. */
export function readEvent(json: JsonValue): UsageEvent | Rejection {
  try {
    return fromJson(UsageEventSchema, withTextAmount(json));
  } catch (error) {
    return {
      reason: ErrorReason.INVALID_FIELD,
      ...problemOf(error instanceof Error ? error : new Error(String(error))),
    };
  }
}

/** What the decoder found, in the client's words: `cannot decode field usageflow.v1.UsageEvent.amount from JSON: ...`. */
function problemOf({ message, cause }: Error): { field: string; message: string } {
  const problem = message.replace(/^cannot decode .*? from JSON: /, "");
  if (isFieldError(cause)) return { field: cause.field().name, message: problem };
  const unknown = /^key "(.*)" is unknown$/s.exec(problem)?.[1];
  if (unknown !== undefined) return { field: unknown || '""', message: "there is no such field" };
  const inner = /^cannot decode message google\.protobuf\.Timestamp/.test(message);
  if (inner) return { field: "occurred_at", message: "must be a time such as 2015-05-21T00:00:00Z" };
  return { field: "", message: "an event is a JSON object" };
}

/** The contract has amounts as text; here they may be numbers, and so may the values of properties. */
function withTextAmount(json: JsonValue): JsonValue {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const { amount, properties } = json;
  const event = { ...json };
  if (typeof amount === "number") event.amount = String(amount);
  if (typeof properties === "object" && properties !== null && !Array.isArray(properties)) {
    event.properties = Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, scalarText(value)]));
  }
  return event;
}

function scalarText(value: JsonValue): JsonValue {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
}
