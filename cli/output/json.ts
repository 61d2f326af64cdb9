import { type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";

/** A message as proto3 JSON, zero values included, as the server writes it. */
export function bare<S extends DescMessage>(schema: S, message: MessageShape<S>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}
