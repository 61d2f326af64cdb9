#!/usr/bin/env node
import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { createEcmaScriptPlugin, type GeneratedFile, runNodeJs } from "@bufbuild/protoplugin";

// A plugin of buf's: the types of webhooks' payloads, as the JSON that a receiver reads, with the contract's comments. (The
// messages' own types are of what generated clients have: bigints, and times as objects.)

const ROOT = "usageflow.v1.EventData";
const WELL_KNOWN: Record<string, string> = {
  "google.protobuf.Timestamp": "string",
  "google.protobuf.Duration": "string",
};
const SCALARS: Partial<Record<ScalarType, string>> = {
  [ScalarType.STRING]: "string",
  [ScalarType.BOOL]: "boolean",
  [ScalarType.INT32]: "number",
  [ScalarType.INT64]: "string", // many readers of JSON have no such numbers
};

const plugin = createEcmaScriptPlugin({
  name: "payloads",
  version: "v1",
  generateTs(schema) {
    const root = schema.files.flatMap((file) => file.messages).find(({ typeName }) => typeName === ROOT);
    if (!root) throw new Error(`there is no ${ROOT}`);
    const f = schema.generateFile("usageflow/v1/payload.ts");
    f.print("// Made of the contract by proto/payloads.ts: what webhooks carry, as proto3 JSON.");
    const seen = new Set<DescMessage | DescEnum>([root]);
    for (const one of seen) {
      f.print();
      if (one.kind === "enum") printEnum(f, one);
      else printMessage(f, one, seen);
    }
  },
});

/** What is always written is required; what may be absent, as a message may, or one of several fields, is optional. */
function printMessage(f: GeneratedFile, message: DescMessage, seen: Set<DescMessage | DescEnum>): void {
  f.print(f.jsDoc(message));
  f.print("export interface ", message.name, "Payload {");
  for (const field of message.fields) {
    const isWritten = field.fieldKind === "list" || field.fieldKind === "map" || isImplicit(field);
    f.print(f.jsDoc(field, "  "));
    f.print("  ", field.jsonName, isWritten ? "" : "?", ": ", typeOf(field, seen), ";");
  }
  f.print("}");
}

function isImplicit({ presence, message }: DescField): boolean {
  return presence === FeatureSet_FieldPresence.IMPLICIT && !message;
}

function typeOf(field: DescField, seen: Set<DescMessage | DescEnum>): string {
  const { message, enum: values, scalar } = field;
  const one = message ?? values;
  const known = message && WELL_KNOWN[message.typeName];
  if (one && !known) seen.add(one);
  const type = known ?? (one ? `${one.name}Payload` : SCALARS[scalar as ScalarType]);
  if (!type) throw new Error(`a kind of field that no payload had until now: ${field.toString()}`);
  if (field.fieldKind === "list") return `${type}[]`;
  return field.fieldKind === "map" ? `Record<string, ${type}>` : type;
}

function printEnum(f: GeneratedFile, values: DescEnum): void {
  f.print(f.jsDoc(values));
  f.print("export type ", values.name, "Payload = ", values.values.map(({ name }) => `"${name}"`).join(" | "), ";");
}

runNodeJs(plugin);
