import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";

const MASK = "[masked]";

/** A message as JSON without its secrets, and whether it had any: those are the fields with `debug_redact`. */
export function maskedJson<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
): { json: JsonObject; hadSecret: boolean } {
  const json = toJson(schema, message) as JsonObject;
  return { json, hadSecret: mask(schema, json) };
}

function mask(schema: DescMessage, json: JsonObject): boolean {
  let found = false;
  for (const field of schema.fields) {
    const value = json[field.jsonName];
    if (value === undefined) continue;
    if (field.proto.options?.debugRedact) {
      json[field.jsonName] = maskOf(field, value);
      found = true;
    } else if (field.message && !field.message.typeName.startsWith("google.protobuf.")) {
      for (const part of partsOf(field, value)) found = mask(field.message, part as JsonObject) || found;
    }
  }
  return found;
}

/** Of a map the names stay. */
function maskOf(field: DescField, value: JsonValue): JsonValue {
  if (field.fieldKind !== "map") return MASK;
  return Object.fromEntries(Object.keys(value as JsonObject).map((name) => [name, MASK]));
}

function partsOf(field: DescField, value: JsonValue): JsonValue[] {
  if (field.fieldKind === "list") return value as JsonValue[];
  return field.fieldKind === "map" ? Object.values(value as JsonObject) : [value];
}

const holding = new Map<DescMessage, boolean>();

/** Whether messages of a schema may hold a secret. */
export function holdsSecret(schema: DescMessage): boolean {
  const known = holding.get(schema);
  if (known !== undefined) return known;
  holding.set(schema, false); // for a message that holds itself
  const holds = schema.fields.some(
    (field) => field.proto.options?.debugRedact || (field.message !== undefined && holdsSecret(field.message)),
  );
  holding.set(schema, holds);
  return holds;
}
