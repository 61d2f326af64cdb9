import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from "yaml";
import { parseSpan, parseTime } from "../time.ts";

/** Something in a file that is not as the contract says. */
export interface Problem {
  /** Where in the text. */
  offset: number;
  /** Path of the field, such as `plans[0].prices[1].graduated`. Empty for the whole. */
  path: string;
  message: string;
}

/** What came of reading a message: proto3 JSON, and where in the text each path stands. */
export interface Reading {
  json: JsonObject;
  problems: Problem[];
  offsets: Map<string, number>;
}

/** Messages that JSON writes as a text, in the forms that flags take too. */
const WRITTEN_AS_TEXT: Record<string, (text: string) => JsonValue> = {
  [TimestampSchema.typeName]: (text) => toJson(TimestampSchema, parseTime(text)),
  [DurationSchema.typeName]: (text) => `${parseSpan(text)}s`,
};

/** Reads a YAML document as a message, guided by its descriptor. Goes on after a problem, so that all are found. */
export function readMessage(schema: DescMessage, doc: Document.Parsed): Reading {
  const reading: Reading = { json: {}, problems: [], offsets: new Map() };
  const reader = createReader(doc, reading);
  if (doc.contents === null) reader.problem(null, "", "the file is empty");
  else reading.json = reader.message(schema, doc.contents, "");
  return reading;
}

function createReader(doc: Document.Parsed, { problems, offsets }: Reading) {
  const offsetOf = (node: Node | null) => node?.range?.[0] ?? 0;

  function problem(node: Node | null, path: string, message: string): undefined {
    problems.push({ offset: offsetOf(node), path, message });
  }

  function message(schema: DescMessage, node: Node | null, path: string): JsonObject {
    const json: JsonObject = {};
    const allowed = schema.fields.map((field) => field.jsonName).join(", ");
    if (!isMap(node)) {
      problem(node, path, `must be a mapping; allowed in it: ${allowed}`);
      return json;
    }
    const taken = new Map<string, string>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : "";
      const field = schema.fields.find((each) => each.jsonName === name || each.name === name);
      if (!field) {
        problem(key as Node, join(path, name), `there is no such field; allowed here: ${allowed}`);
        continue;
      }
      const here = join(path, field.jsonName);
      const group = field.oneof?.name ?? field.name;
      const before = taken.get(group);
      taken.set(group, name);
      if (before) problem(key as Node, here, `there is ${before} already; only one of the two is allowed`);
      offsets.set(here, offsetOf((value ?? key) as Node));
      const read = fieldValue(field, value as Node | null, here);
      if (read !== undefined) json[field.jsonName] = read;
    }
    return json;
  }

  /** The value of a field; undefined where there is none, or none that can be read. */
  function fieldValue(field: DescField, given: Node | null, path: string): JsonValue | undefined {
    const node = followed(given, path);
    if (!node || (isScalar(node) && node.value === null)) return undefined;
    if (field.fieldKind === "map") return pairs(field, node, path);
    if (field.fieldKind !== "list") return single(field, node, path);
    if (!isSeq(node)) return problem(node, path, "must be a list");
    return node.items.flatMap((item, at) => {
      const here = `${path}[${at}]`;
      offsets.set(here, offsetOf(item as Node));
      return single(field, followed(item as Node, here), here) ?? [];
    });
  }

  function pairs(field: DescField & { fieldKind: "map" }, node: Node, path: string): JsonObject | undefined {
    if (!isMap(node)) return problem(node, path, "must be a mapping");
    const read: [string, JsonValue][] = [];
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : "";
      const here = `${path}["${name}"]`;
      offsets.set(here, offsetOf((value ?? key) as Node));
      const text = single(field, followed(value as Node | null, here), here);
      if (text !== undefined) read.push([name, text]);
    }
    return Object.fromEntries(read);
  }

  /** What an alias (`*name`) stands for; every other node as it is. */
  function followed(node: Node | null, path: string): Node | undefined {
    if (!isAlias(node)) return node ?? undefined;
    return node.resolve(doc) ?? problem(node, path, `there is no &${node.source} before this`);
  }

  function single(field: DescField, node: Node | undefined, path: string): JsonValue | undefined {
    if (!node) return undefined;
    const written = field.message && WRITTEN_AS_TEXT[field.message.typeName];
    if (field.message && !written) return message(field.message, node, path);
    if (!isScalar(node)) return problem(node, path, "must be a single value");
    if (written) return wellKnown(written, node, path);
    if (field.enum) return enumValue(field.enum, node, path);
    if (field.scalar === ScalarType.STRING) return text(node, path);
    if (field.scalar === ScalarType.BOOL) {
      return typeof node.value === "boolean" ? node.value : problem(node, path, "must be true or false");
    }
    if (field.scalar === ScalarType.INT64) {
      return /^-?\d{1,19}$/.test(node.source ?? "")
        ? (node.source as string)
        : problem(node, path, "must be a whole number");
    }
    if (typeof node.value === "number" && (node.value | 0) === node.value) return node.value;
    return problem(node, path, "must be a whole number");
  }

  function enumValue(schema: DescEnum, node: Scalar, path: string): string | undefined {
    const value = schema.values.find((each) => each.name === node.value || each.localName === node.value);
    if (value) return value.name;
    const allowed = schema.values.filter((each) => each.number !== 0).map((each) => each.localName);
    return problem(node, path, `"${node.source ?? node.value}" is not allowed; allowed: ${allowed.join(", ")}`);
  }

  function wellKnown(read: (text: string) => JsonValue, node: Scalar, path: string): JsonValue | undefined {
    try {
      return read(String(node.source ?? node.value));
    } catch (error) {
      return problem(node, path, (error as Error).message);
    }
  }

  /** A number without quotes keeps its digits: it is taken as it is written. */
  function text(node: Scalar, path: string): string | undefined {
    if (typeof node.value === "string") return node.value;
    if (typeof node.value === "number") return node.source;
    return problem(node, path, "must be text; put it in quotes");
  }

  return { message, problem };
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
