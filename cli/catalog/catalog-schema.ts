import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  type JsonObject,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  type FieldRules,
  field as fieldOption,
  Ignore,
  oneof as oneofOption,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";

/**
 * The JSON Schema of a catalog file, from the contract's messages and their rules: for editors. It knows one spelling of
 * each name, and not the rules that compare fields; the server has the last word.
 */
export function catalogSchema(): JsonObject {
  const definitions: Record<string, JsonObject> = {};
  define(CatalogSchema, definitions);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A catalog of UsageFlow: metrics and plans",
    $ref: refOf(CatalogSchema).$ref,
    $defs: definitions,
  };
}

function refOf({ name }: DescMessage) {
  return { $ref: `#/$defs/${name}` };
}

/** Adds the schema of a message and of all that it holds. */
function define(desc: DescMessage, definitions: Record<string, JsonObject>): void {
  if (desc.name in definitions) return;
  definitions[desc.name] = messageSchema(desc);
  for (const { message } of desc.fields) if (message) define(message, definitions);
}

function messageSchema({ fields, oneofs }: DescMessage): JsonObject {
  const required = fields.filter((field) => !field.oneof && isNeeded(field)).map((field) => field.jsonName);
  const choices = oneofs.map(choiceSchema);
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(fields.map((field) => [field.jsonName, fieldSchema(field)])),
    ...(required.length > 0 ? { required } : {}),
    ...(choices.length > 0 ? { allOf: choices } : {}),
  };
}

/** One of the fields, and where the contract does not need one, none. */
function choiceSchema(oneof: DescOneof): JsonObject {
  const choices: JsonObject[] = oneof.fields.map((field) => ({ required: [field.jsonName] }));
  const none = { not: { anyOf: choices } };
  return { oneOf: getOption(oneof, oneofOption).required ? choices : [...choices, none] };
}

function fieldSchema(field: DescField): JsonObject {
  const { type } = getOption(field, fieldOption);
  if (field.fieldKind !== "list") return valueSchema(field, type);
  const rules = type.case === "repeated" ? type.value : undefined;
  return {
    type: "array",
    items: valueSchema(field, rules?.items?.type),
    ...(rules?.minItems ? { minItems: Number(rules.minItems) } : {}),
    ...(rules?.maxItems ? { maxItems: Number(rules.maxItems) } : {}),
    ...(rules?.unique ? { uniqueItems: true } : {}),
  };
}

type Rules = FieldRules["type"];

function valueSchema({ message, enum: values, scalar }: DescField, rules: Rules | undefined): JsonObject {
  if (message) return refOf(message);
  if (values) return enumSchema(values, rules);
  if (scalar === ScalarType.BOOL) return { type: "boolean" };
  if (scalar === ScalarType.STRING) return textSchema(rules);
  const [least, most] = rules?.case === "int32" ? [rules.value.greaterThan, rules.value.lessThan] : [];
  return {
    type: "integer",
    ...(least?.case === "gte" ? { minimum: least.value } : {}),
    ...(most?.case === "lte" ? { maximum: most.value } : {}),
  };
}

/** The names without their prefix, as the file writes them. The first value of an enumeration says that none is given. */
function enumSchema({ values }: DescEnum, rules: Rules | undefined): JsonObject {
  const without = rules?.case === "enum" ? rules.value.notIn : [];
  const allowed = values.filter(({ number }) => number !== 0 && !without.includes(number));
  return { enum: allowed.map(({ localName }) => localName) };
}

/** A number may stand without quotes where its text is allowed. */
function textSchema(rules: Rules | undefined): JsonObject {
  if (rules?.case !== "string") return { type: ["string", "number"] };
  const { pattern, minLen, maxLen, notIn } = rules.value;
  const takes = (text: string) => new RegExp(pattern, "u").test(text);
  return {
    type: takes("1") ? ["string", "number"] : "string",
    ...(takes("1") && !takes("-1") ? { minimum: 0 } : {}),
    ...(pattern ? { pattern } : {}),
    ...(minLen ? { minLength: Number(minLen) } : {}),
    ...(maxLen ? { maxLength: Number(maxLen) } : {}),
    ...(notIn.length > 0 ? { not: { enum: notIn } } : {}),
  };
}

/** Whether the contract refuses a field that is left out. */
function isNeeded(field: DescField): boolean {
  const { required, ignore, type } = getOption(field, fieldOption);
  if (required) return true;
  if (ignore !== Ignore.UNSPECIFIED) return false;
  if (type.case === "repeated") return type.value.minItems > 0n;
  if (type.case === "enum") return type.value.notIn.includes(0);
  if (type.case !== "string") return false;
  return type.value.minLen > 0n || !new RegExp(type.value.pattern, "u").test("");
}
