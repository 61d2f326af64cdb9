import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { fieldPath } from "../../server/rpc/contract.ts";
import type { Dice } from "./dice.ts";
import {
  goodSpans,
  goodTexts,
  goodTimes,
  goodWholes,
  wildCounts,
  wildSpans,
  wildTexts,
  wildTimes,
  wildWholes,
} from "./hostile-values.ts";

// Requests made from descriptors and from the rules that the contract writes with buf.validate, so that a new method needs
// nothing here. Which of the known texts a field takes, its own rule is asked.

/** What requests may speak of. */
export interface Vocabulary {
  /** Ids and names of things that the caller's tenant has, by what fields call them: `customerId`. */
  own: Readonly<Record<string, string>>;
  /** Ids, names and page tokens of another tenant. */
  foreign: readonly string[];
  /** Page tokens that the caller was given. */
  tokens: readonly string[];
}

/** How a request is made. `wild`: how many of a hundred values are hostile ones. */
export interface Making {
  dice: Dice;
  words: Vocabulary;
  wild: number;
}

const DEPTH_MAX = 6;

/** A request as JSON. Not wild, it breaks few rules. */
export function anyRequest(making: Making, desc: DescMessage, depth = 0): JsonObject {
  const { dice } = making;
  const json: JsonObject = {};
  for (const member of desc.members) {
    const field = member.kind === "oneof" ? dice.pick(member.fields) : member;
    const chance = member.kind === "oneof" ? 90 : depth === 0 ? 75 : 60;
    if (depth < DEPTH_MAX && dice.percent(chance)) json[field.jsonName] = anyField(making, field, depth);
  }
  return json;
}

/** The same request with one value in it, however deep, made anew; a field that it did not have may be added. */
export function withOneChanged(making: Making, desc: DescMessage, json: JsonObject, depth = 0): JsonObject {
  const { dice } = making;
  const field = dice.pick(desc.fields);
  if (!field) return json;
  const inside = json[field.jsonName];
  const deeper = field.message && !field.message.typeName.startsWith("google.") && dice.percent(80);
  if (deeper && field.fieldKind === "message" && isObject(inside)) {
    return { ...json, [field.jsonName]: withOneChanged(making, field.message as DescMessage, inside, depth + 1) };
  }
  if (deeper && field.fieldKind === "list" && Array.isArray(inside) && inside.length > 0) {
    const place = dice.below(inside.length);
    const changed = inside.map((item, at) =>
      at === place && isObject(item) ? withOneChanged(making, field.message as DescMessage, item, depth + 1) : item,
    );
    return { ...json, [field.jsonName]: changed };
  }
  const others = field.oneof ? field.oneof.fields.map(({ jsonName }) => jsonName) : [];
  const rest = Object.fromEntries(Object.entries(json).filter(([name]) => !others.includes(name)));
  return { ...rest, [field.jsonName]: anyField(making, field, depth) };
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function anyField(making: Making, field: DescField, depth: number): JsonValue {
  const { dice, wild } = making;
  if (field.fieldKind === "map") {
    const pairs = Array.from({ length: manyOf(making) }, (_, place) => {
      const key = dice.percent(wild) ? dice.pick(wildTexts) : `k${place}`;
      return [key, anyValue(making, field, depth)] as const;
    });
    return Object.fromEntries(pairs);
  }
  if (field.fieldKind !== "list") return anyValue(making, field, depth);
  const item = anyValue(making, field, depth);
  const count = manyOf(making);
  if (count > 3) return Array.from({ length: count }, () => item); // the same one: a thousand others cost more to make than to refuse
  return Array.from({ length: count }, () => anyValue(making, field, depth));
}

function manyOf({ dice, wild }: Making): number {
  return wild > 0 && dice.percent(4) ? dice.pick(wildCounts) : dice.below(4);
}

function anyValue(making: Making, field: DescField, depth: number): JsonValue {
  const { dice, wild } = making;
  const isWild = dice.percent(wild);
  if (field.message) return anyInside(making, field.message, depth, isWild);
  if (field.enum) {
    if (isWild) return dice.pick<JsonValue>([99, -1, 2 ** 31 - 1, "NOT_A_NAME", "", 0]);
    return dice.pick(field.enum.values).name;
  }
  if (field.scalar === ScalarType.BOOL) return isWild ? dice.pick<JsonValue>(["true", 1, null]) : dice.percent(50);
  if (field.scalar === ScalarType.STRING) return anyText(making, field, isWild);
  if (field.scalar === ScalarType.BYTES) return dice.pick(["", "AAAA", "%%%"]);
  return isWild ? dice.pick(wildWholes) : dice.pick(goodWholes);
}

function anyInside(making: Making, desc: DescMessage, depth: number, isWild: boolean): JsonValue {
  const { dice } = making;
  if (desc.typeName === "google.protobuf.Timestamp") return dice.pick(isWild ? wildTimes : goodTimes);
  if (desc.typeName === "google.protobuf.Duration") return dice.pick(isWild ? wildSpans : goodSpans);
  if (isWild && dice.percent(20)) return dice.pick<JsonValue>([null, [], "x", 5, true]);
  return anyRequest(making, desc, depth + 1);
}

function anyText({ dice, words }: Making, field: DescField, isWild: boolean): string {
  if (isWild) return dice.percent(15) ? dice.pick(words.foreign) : dice.pick(wildTexts);
  const named = /token|cursor/.test(field.name) ? words.tokens : words.own[field.jsonName];
  const own = Object.values(words.own);
  for (let tries = 0; tries < 8; tries++) {
    const hinted = Array.isArray(named) ? ["", ...named] : named ? [named as string] : own;
    const text = dice.percent(70) ? dice.pick(hinted) : dice.pick(dice.percent(50) ? own : goodTexts);
    if (fits(field, text)) return text;
  }
  return [...own, ...goodTexts].find((text) => fits(field, text)) ?? "";
}

const validator = createValidator();
const known = new Map<DescField, Map<string, boolean>>();

/** Whether no rule of the contract refuses a text in a field. */
function fits(field: DescField, text: string): boolean {
  const texts = known.get(field) ?? new Map<string, boolean>();
  known.set(field, texts);
  const before = texts.get(text);
  if (before !== undefined) return before;
  const value = field.fieldKind === "list" ? [text] : field.fieldKind === "map" ? { key: text } : text;
  const { violations = [] } = validator.validate(field.parent, fromJson(field.parent, { [field.jsonName]: value }));
  const answer = !violations.some((violation) => fieldPath(violation).startsWith(field.name));
  texts.set(text, answer);
  return answer;
}
