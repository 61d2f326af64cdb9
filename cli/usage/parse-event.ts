import { createHash } from "node:crypto";
import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { type UsageEvent, UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { fieldPath } from "../output/text.ts";
import { LINE_BYTES_MAX, type Line } from "./read-lines.ts";

/** Reads one line after the other as the event that it says, or as the reason why it says none. */
export type LineParser = (line: Line) => UsageEvent | { problem: string } | undefined;

// Where a number is a mistake, and stays one: the same as in `POST /api/track`.
const TEXT_FIELDS = new Set(["metric", "customerId", "idempotencyKey", "occurredAt"]);

/**
 * A parser for the lines of one file, in their order. A line without an idempotency key gets one from its content and
 * how often the same line stood before it, so that the file can be imported again. `onInterchangeable` is told of each
 * that has no time either: in another file, an equal line may well be another event. Empty lines are nothing.
 */
export function createLineParser(onInterchangeable: () => void = () => {}): LineParser {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  // Six bytes of each hash: a chance equality only makes an occurrence 2 that could be 1, and the key has the whole hash.
  const seen = new Map<number, number>();

  function keyOf(text: string): string {
    const hash = createHash("sha256").update(text).digest();
    const short = hash.readUIntBE(0, 6);
    const occurrence = (seen.get(short) ?? 0) + 1;
    seen.set(short, occurrence);
    return `import-${hash.toString("hex")}-${occurrence}`;
  }

  return ({ bytes }) => {
    if (!bytes) return { problem: `is longer than ${LINE_BYTES_MAX} bytes` };
    try {
      const text = decoder.decode(bytes).trim();
      if (text === "") return undefined;
      const event = fromJson(UsageEventSchema, withTextProperties(JSON.parse(text, exactNumber)));
      if (event.idempotencyKey === "") {
        event.idempotencyKey = keyOf(text);
        if (!event.occurredAt) onInterchangeable();
      }
      return event;
    } catch (error) {
      return { problem: problemOf(error) };
    }
  };
}

/** Numbers keep all their digits: they are read from the text of the line, and never through a float. */
function exactNumber(key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === "number" && !TEXT_FIELDS.has(key) ? context?.source : value;
}

/** As in `POST /api/track`, properties may be numbers, true or false; the contract has text. */
function withTextProperties(json: JsonValue): JsonValue {
  if (!isObject(json)) throw new Error("is not a JSON object");
  const { properties } = json;
  if (!isObject(properties)) return json;
  const texts = Object.entries(properties).map(([key, value]) => [
    key,
    typeof value === "boolean" || typeof value === "number" ? `${value}` : value,
  ]);
  return { ...json, properties: Object.fromEntries(texts) };
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function problemOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof SyntaxError) return `is not JSON: ${message.replace(/ \(line 1 column \d+\)$/, "")}`;
  if (error instanceof TypeError) return "is not UTF-8"; // what a decoder that is fatal throws
  const ofField = /^cannot decode field usageflow\.v1\.UsageEvent\.(\w+) from JSON: (.*)$/s.exec(message);
  if (ofField) return `${fieldPath(ofField[1] as string)}: ${ofField[2]}`;
  return message
    .replace("cannot decode message google.protobuf.Timestamp from JSON", "occurredAt")
    .replace(/^cannot decode .*? from JSON:? /, "");
}
