import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";
import { accessOf, enumsOf, messagesOf, rulesOf, wordsOf } from "./contract.ts";
import { trackPath, trackSchemas } from "./track.ts";

const INTRODUCTION = `Every unary method of the five services as a plain JSON call (the Connect protocol: POST, one JSON object in, one
out), and \`POST /api/track\`. Methods that stream are not here: they need a Connect or gRPC client.

Unknown fields are refused. Answers carry all fields, those with zero values too. 64-bit numbers are text in answers;
requests may have them as numbers.`;

/** The contract as OpenAPI 3.1: routes of JSON alone. */
export function openApi(files: readonly DescFile[]): string {
  const services = files.flatMap((file) => file.services);
  const unary = services.flatMap((service) => service.methods.filter((method) => method.methodKind === "unary"));
  const document: JsonObject = {
    openapi: "3.1.0",
    info: {
      title: "UsageFlow",
      version: "v1",
      description: INTRODUCTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:8080", description: "A server with its default settings." }],
    security: [{ bearer: [] }, { apiKey: [] }],
    tags: services.map((service) => ({ name: service.name, description: wordsOf(service) })),
    paths: {
      "/api/track": trackPath,
      ...Object.fromEntries(
        unary.map((method) => [`/${method.parent.typeName}/${method.name}`, { post: operation(method) }]),
      ),
    },
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "An API key, `uf_live_...` or `uf_test_...`, or a member's access token, `uf_pat_...`.",
        },
        apiKey: {
          type: "apiKey",
          in: "header",
          name: "x-usageflow-api-key",
          description: "The same, in a header of its own.",
        },
      },
      responses: { Refusal: refusalResponse },
      schemas: {
        ...Object.fromEntries(messagesOf(files).map((message) => [message.name, messageSchema(message)])),
        ...Object.fromEntries(enumsOf(files).map((one) => [one.name, enumSchema(one)])),
        Refusal: refusalSchema,
        ...trackSchemas,
      },
    },
  };
  return `# Generated from the contract in proto/ by \`npm run gen\`.\n${stringify(document, { lineWidth: 0, blockQuote: "literal", aliasDuplicateObjects: false })}`;
}

function operation(method: DescMethod): JsonObject {
  const { needed, roles, who, namesTenant } = accessOf(method);
  const may = needed ? `Permission \`${needed}\`: ${roles.join(", ") || "no role"}. ${who}` : who;
  const [summary = ""] = wordsOf(method).split(/(?<=[.:])\s/, 1);
  return {
    operationId: `${method.parent.name}.${method.name}`,
    tags: [method.parent.name],
    summary: summary.replaceAll("\n", " "),
    description: `${wordsOf(method)}\n\n${may}`,
    parameters: [...(namesTenant ? [TENANT] : []), ...(method.idempotency === 1 ? [] : [IDEMPOTENCY_KEY])],
    requestBody: { required: true, content: { "application/json": { schema: ref(method.input) } } },
    responses: {
      "200": { description: "Done.", content: { "application/json": { schema: ref(method.output) } } },
      default: { $ref: "#/components/responses/Refusal" },
    },
  };
}

const TENANT: JsonObject = {
  name: "x-usageflow-tenant",
  in: "header",
  description:
    "With an access token: which tenant of the organization, as `ten_...`, `live` or `test`. A key has its own.",
  schema: { type: "string" },
};

const IDEMPOTENCY_KEY: JsonObject = {
  name: "idempotency-key",
  in: "header",
  description:
    "Makes the call safe to send again: the first answer is stored and given again. Of no effect where a method says so.",
  schema: { type: "string" },
};

const refusalSchema: JsonObject = {
  type: "object",
  description: "Why a call was refused, as Connect has it. `details` has one `usageflow.v1.ErrorDetail`.",
  required: ["code"],
  properties: {
    code: { type: "string", description: "Connect's name of the code, such as `invalid_argument`." },
    message: { type: "string", description: "For people." },
    details: {
      type: "array",
      items: {
        type: "object",
        required: ["type", "value"],
        properties: {
          type: { type: "string" },
          value: { type: "string", contentEncoding: "base64" },
          debug: {
            type: "object",
            properties: {
              reason: { enum: ErrorReasonSchema.values.map((value) => value.name) },
              field: { type: "string" },
              requestId: { type: "string" },
            },
          },
        },
      },
    },
  },
};

const refusalResponse: JsonObject = {
  description: "It was refused. The status follows from the code (400, 401, 403, 404, 409, 429, 500, 503).",
  content: { "application/json": { schema: { $ref: "#/components/schemas/Refusal" } } },
};

const ref = (one: DescMessage | DescEnum): JsonObject => ({ $ref: `#/components/schemas/${one.name}` });

function messageSchema(message: DescMessage): JsonObject {
  const required = message.fields.filter((field) => rulesOf(field).required === true).map((field) => field.jsonName);
  return {
    type: "object",
    ...described(wordsOf(message)),
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(message.fields.map((field) => [field.jsonName, fieldSchema(field)])),
    additionalProperties: false,
  };
}

function enumSchema(one: DescEnum): JsonObject {
  const values = one.values.map((value) => `- \`${value.name}\`: ${wordsOf(value).replaceAll("\n", " ")}`);
  return {
    type: "string",
    description: `${wordsOf(one)}\n\n${values.join("\n")}`,
    enum: one.values.map((value) => value.name),
  };
}

function fieldSchema(field: DescField): JsonObject {
  const words = [wordsOf(field), field.oneof ? `At most one of \`${field.oneof.name}\` is set.` : ""].filter(Boolean);
  const rules = rulesOf(field);
  return { ...described(words.join("\n\n")), ...shapeOf(field, rules) };
}

function described(description: string): JsonObject {
  return description ? { description } : {};
}

function shapeOf(field: DescField, rules: JsonObject): JsonObject {
  const one = valueSchema(field);
  // Fields that are empty may be left out, or be empty: rules that do not hold for what is empty are not told here.
  const limits = (name: string) => limitsOf((rules[name] ?? {}) as JsonObject);
  if (field.fieldKind === "list") return { type: "array", items: one, ...limits("repeated") };
  if (field.fieldKind === "map") return { type: "object", additionalProperties: one, ...limits("map") };
  return { ...one, ...limits("string"), ...limits("bytes") };
}

// Only upper limits: they hold for what a server answers too.
function limitsOf(rules: JsonObject): JsonObject {
  const names: Record<string, string> = { maxLen: "maxLength", maxItems: "maxItems", maxPairs: "maxProperties" };
  const found = Object.entries(rules).flatMap(([name, value]) =>
    names[name] ? [[names[name], Number(value)] as const] : [],
  );
  return Object.fromEntries(found);
}

function valueSchema(field: DescField): JsonObject {
  if (field.enum) return ref(field.enum);
  if (field.message) return wellKnown[field.message.typeName] ?? ref(field.message);
  return scalars[field.scalar ?? ScalarType.STRING] ?? { type: "string" };
}

const WHOLE: JsonValue = { type: ["string", "integer"], format: "int64", pattern: "^-?[0-9]+$" };

const scalars: Partial<Record<ScalarType, JsonObject>> = {
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.BYTES]: { type: "string", contentEncoding: "base64" },
  [ScalarType.INT32]: { type: "integer", format: "int32" },
  [ScalarType.UINT32]: { type: "integer", format: "int64" },
  [ScalarType.DOUBLE]: { type: "number", format: "double" },
  [ScalarType.FLOAT]: { type: "number", format: "float" },
  [ScalarType.INT64]: WHOLE as JsonObject,
  [ScalarType.UINT64]: WHOLE as JsonObject,
};

const wellKnown: Record<string, JsonObject> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Duration": { type: "string", pattern: "^-?[0-9]+(\\.[0-9]+)?s$" },
  "google.protobuf.Struct": { type: "object" },
  "google.protobuf.Value": {},
  "google.protobuf.FieldMask": { type: "string" },
  "google.protobuf.Empty": { type: "object" },
};
