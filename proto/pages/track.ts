import type { JsonObject } from "@bufbuild/protobuf";
import { ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";

// POST /api/track is no method of the contract: it is told by hand, and a test holds it against the server.

const reason = { enum: ErrorReasonSchema.values.slice(1).map((value) => value.name.replace("ERROR_REASON_", "")) };

const ofStatus = (description: string, schema: string): JsonObject => ({
  description,
  content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } },
});

/** The route's own shapes. */
export const trackSchemas: Record<string, JsonObject> = {
  TrackEvent: {
    type: "object",
    description:
      "One report of usage. Its fields are those of `UsageEvent`; amounts and values of properties may be numbers, of which no digit is lost.",
    required: ["metric", "customerId"],
    properties: {
      metric: { type: "string", description: "The key of a metric, such as `API_CALL`." },
      amount: {
        type: ["string", "number"],
        description: "A decimal number; may be left out where the metric needs none.",
      },
      customerId: {
        type: "string",
        description: "Your own id of the customer. One that is not known yet is registered.",
      },
      idempotencyKey: { type: "string", description: "Identifies the event for ever. Left out, the server makes one." },
      occurredAt: { type: "string", format: "date-time", description: "When it was used. Left out: now." },
      properties: {
        type: "object",
        description: "Facts that metrics count by and prices filter by.",
        additionalProperties: { type: ["string", "number", "boolean"] },
      },
    },
    additionalProperties: false,
  },
  TrackResult: {
    type: "object",
    description: "What became of one event.",
    required: ["outcome", "idempotencyKey"],
    properties: {
      outcome: {
        enum: ["accepted", "duplicate", "conflict", "rejected"],
        description:
          "accepted: stored. duplicate: it was stored before. conflict: its key was used for another event. rejected: it is no event that can be stored.",
      },
      idempotencyKey: { type: "string" },
      reason,
      field: { type: "string", description: "The field at fault. Empty: none by itself." },
      message: { type: "string", description: "For people." },
    },
    additionalProperties: false,
  },
  TrackResults: {
    type: "object",
    description: "The outcomes of an array, in its order.",
    required: ["results"],
    properties: { results: { type: "array", items: { $ref: "#/components/schemas/TrackResult" } } },
    additionalProperties: false,
  },
  TrackRefusal: {
    type: "object",
    description: "Why the whole call was refused; nothing of it was stored.",
    required: ["error"],
    properties: {
      error: {
        type: "object",
        required: ["code", "reason", "message", "field", "requestId"],
        properties: {
          code: { type: "string" },
          reason,
          message: { type: "string" },
          field: { type: "string" },
          requestId: { type: "string" },
        },
        additionalProperties: false,
      },
    },
    additionalProperties: false,
  },
};

/** The route itself. */
export const trackPath: JsonObject = {
  post: {
    operationId: "track",
    tags: ["UsageService"],
    summary: "Records one usage event, or up to 1,000 in an array.",
    description: "Each event stands alone. An answer means that accepted events are on disk. Permission `usage:write`.",
    parameters: [
      {
        name: "backfill",
        in: "query",
        description: "Takes events that are older than the tenant's backfill window.",
        schema: { type: "boolean" },
      },
    ],
    requestBody: {
      required: true,
      content: {
        "application/json": {
          schema: {
            oneOf: [
              { $ref: "#/components/schemas/TrackEvent" },
              { type: "array", minItems: 1, maxItems: 1000, items: { $ref: "#/components/schemas/TrackEvent" } },
            ],
          },
          example: { metric: "API_CALL", amount: 1000, customerId: "user_123" },
        },
      },
    },
    responses: {
      "200": {
        description:
          "One event: it was accepted, or is a duplicate. An array: the outcomes in its order, rejected ones too.",
        content: {
          "application/json": {
            schema: {
              oneOf: [{ $ref: "#/components/schemas/TrackResult" }, { $ref: "#/components/schemas/TrackResults" }],
            },
          },
        },
      },
      "400": {
        description: "The one event was rejected, or the body cannot be read.",
        content: {
          "application/json": {
            schema: {
              oneOf: [{ $ref: "#/components/schemas/TrackResult" }, { $ref: "#/components/schemas/TrackRefusal" }],
            },
          },
        },
      },
      "409": ofStatus("The one event's idempotency key was used for another event; nothing changed.", "TrackResult"),
      default: ofStatus(
        "The call was refused: 401, 403, 413 (too large), 415 (no JSON), 429, 500 or 503.",
        "TrackRefusal",
      ),
    },
  },
};
