import { create, type DescField, type DescMessage, type JsonObject, ScalarType, toJson } from "@bufbuild/protobuf";
import { EventDataSchema, WebhookBodySchema } from "../../gen/usageflow/v1/event_pb.ts";
import { EventTypeSchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { ListEventTypesResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { eventSamples } from "./event-sample.ts";

const TIME = { type: "string", format: "date-time" };
/** 64 bits are text: many readers of JSON have no such numbers. */
const WHOLE = { type: "string", pattern: "^-?[0-9]+$" };

/** Every type of event, with a body as it could be sent and the schema of such bodies. */
export function listEventTypes() {
  return create(ListEventTypesResponseSchema, { eventTypes });
}

// The contract does not change while the server runs.
const eventTypes = Object.entries(eventSamples).map(([type, { description, occurredAt, facts }]) => {
  const data = create(EventDataSchema, facts);
  const body = create(WebhookBodySchema, { type, timestamp: occurredAt, sequence: 1n, data });
  const sample = toJson(WebhookBodySchema, body, { alwaysEmitImplicit: true }) as JsonObject;
  const fact = EventDataSchema.fields.find((field) => Object.hasOwn(facts, field.localName)) as DescField;
  return create(EventTypeSchema, { type, description, sample, schema: bodySchema(type, fact) });
});

/**
 * The JSON Schema of a body, from the contract's messages as proto3 JSON. It allows fields that it does not know, and needs
 * only those of the envelope: an event keeps what the contract was when it happened.
 */
function bodySchema(type: string, fact: DescField): JsonObject {
  const definitions: Record<string, JsonObject> = {};
  const schema = schemaOf(fact, definitions);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: type,
    type: "object",
    required: ["type", "timestamp", "sequence", "data"],
    properties: {
      type: { enum: [type] },
      timestamp: TIME,
      sequence: WHOLE,
      data: { type: "object", required: [fact.jsonName], properties: { [fact.jsonName]: schema } },
    },
    $defs: definitions,
  };
}

/** The schema of a field. What its messages are goes into `definitions`. */
function schemaOf(field: DescField, definitions: Record<string, JsonObject>): JsonObject {
  const value = valueSchema(field, definitions);
  if (field.fieldKind === "list") return { type: "array", items: value };
  if (field.fieldKind === "map") return { type: "object", additionalProperties: value };
  return value;
}

function valueSchema(
  { message, enum: values, scalar }: DescField,
  definitions: Record<string, JsonObject>,
): JsonObject {
  if (message) return messageSchema(message, definitions);
  if (values) return { enum: values.values.map(({ name }) => name) };
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.INT32:
      return { type: "integer" };
    case ScalarType.INT64:
      return WHOLE;
    case ScalarType.STRING:
      return { type: "string" };
    default:
      throw new Error(`a kind of field that no event had until now: ${scalar}`);
  }
}

function messageSchema({ name, typeName, fields }: DescMessage, definitions: Record<string, JsonObject>): JsonObject {
  if (typeName === "google.protobuf.Timestamp") return TIME;
  if (typeName === "google.protobuf.Duration") return { type: "string", pattern: "^-?[0-9]+(\\.[0-9]+)?s$" };
  if (!(name in definitions)) {
    const properties: JsonObject = {};
    definitions[name] = { type: "object", properties };
    for (const field of fields) properties[field.jsonName] = schemaOf(field, definitions);
  }
  return { $ref: `#/$defs/${name}` };
}
