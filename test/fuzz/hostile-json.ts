import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Dice } from "./dice.ts";

// JSON that is a little or altogether wrong, as text: what no object of JavaScript could be written as.

const DEEP = 10_000;

type Change = (text: string, json: JsonObject, dice: Dice) => string | Buffer;

const first = (json: JsonObject): [string, JsonValue] => Object.entries(json)[0] ?? ["id", "x"];
const among = (text: string, more: string) => text.replace(/^\{/, text === "{}" ? `{${more}` : `{${more},`);
const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);

/** In place of a value that is a text or a number. */
const instead = (text: string, dice: Dice, value: string) => {
  const values = [...text.matchAll(/(?<=:)("(?:[^"\\]|\\.)*"|-?[0-9][^,}\]]*|true|false|null)/g)];
  if (values.length === 0) return among(text, `"id":${value}`);
  const { index, 0: old } = dice.pick(values);
  return text.slice(0, index) + value + text.slice(index + old.length);
};

const LITERALS = [
  ...[
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "-0",
    "9007199254740993",
    "1e-400",
    "0x10",
    "01",
    "+1",
    ".5",
    "1.",
  ],
  ...["12345678901234567890123456789012345678901", "undefined", "'x'", '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"'],
  ...[
    '"\u0000"',
    '"\n"',
    '"\\x41"',
    '"\\u12"',
    '"',
    "{}",
    "[]",
    "[[]]",
    "null",
    "true",
    '{"__proto__":1}',
    '"\\ud83d\\ude00"',
  ],
];

const CHANGES: readonly Change[] = [
  (text, _, dice) => instead(text, dice, dice.pick(LITERALS)),
  (text, _, dice) => instead(text, dice, dice.pick(LITERALS)),
  (text, _, dice) => instead(text, dice, dice.pick(LITERALS)),
  (text, json) => among(text, `${JSON.stringify(first(json)[0])}:${JSON.stringify(first(json)[1])}`), // twice
  (text, json) => among(text, `${JSON.stringify(first(json)[0])}:null`),
  (text, json) =>
    among(text, `${JSON.stringify(first(json)[0].replace(/[A-Z]/g, (one) => `_${one.toLowerCase()}`))}:"x"`),
  (text) => among(text, '"__proto__":{"id":"x","admin":true}'),
  (text) => among(text, '"constructor":{"prototype":{"id":"x"}}'),
  (text) => among(text, '"there is no such field":1'),
  (text) => among(text, '"":1'),
  (text) => among(text, '"\\u0000":1'),
  (text) => among(text, `"x":${nested("[", "]", DEEP)}`),
  (text, _, dice) => instead(text, dice, nested('{"a":', "}", 100).replace(":}", ":1}")),
  (text, _, dice) => instead(text, dice, nested("[", "]", DEEP)),
  () => nested("[", "]", 100_000),
  () => nested('{"catalog":', "}", 5_000),
  (text) => `\ufeff${text}`,
  (text) => `${text}${text}`,
  (text) => `${text}\0`,
  (text, _, dice) => text.slice(0, dice.below(text.length)),
  (text) => `[${text}]`,
  (text) => Buffer.from(text, "utf16le"),
  (text) => Buffer.from(text.replace(/[a-z]/, "\xc0\x80"), "latin1"), // an overlong NUL
  (text) => Buffer.from(text.replace(/[a-z]/, "\xed\xa0\x80"), "latin1"), // a surrogate, encoded
  (text) => Buffer.from(text.replace(/[a-z]/, "\xff"), "latin1"),
  () => dull("null"),
  () => dull('"x"'),
  () => dull("5"),
  () => dull(""),
  () => dull("   "),
  (text) => text.replaceAll(":", " : ").replaceAll(",", "\n,\t"),
  (text) => text.replace(/}$/, ",}"),
  (text) => `${text.slice(0, -1)}${" ".repeat(100_000)}}`,
  (text) => `/* a comment */${text}`,
];

function dull(text: string): string {
  return text;
}

/** A request's JSON with something wrong in it. */
export function hostileJson(dice: Dice, json: JsonObject): string | Buffer {
  return dice.pick(CHANGES)(JSON.stringify(json), json, dice);
}
