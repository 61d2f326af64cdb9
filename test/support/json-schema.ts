import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Where a value breaks a JSON Schema: as much of draft 2020-12 as ours use. A keyword that it does not know is an error. */
export function schemaProblems(root: JsonObject, value: JsonValue): string[] {
  return problemsOf(root, root, value, "$");
}

type Check = (rule: JsonValue, value: JsonValue, schema: JsonObject) => boolean;

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const typeOf = (value: JsonValue) => (Array.isArray(value) ? "array" : value === null ? "null" : typeof value);
const isOf = (type: JsonValue, value: JsonValue) =>
  type === "integer" ? Number.isInteger(value) : type === typeOf(value);
const length = (text: string) => [...text].length;

/** Keywords that look at one value, and say whether it may be. */
const CHECKS: Record<string, Check> = {
  type: (rule, value) => (Array.isArray(rule) ? rule.some((one) => isOf(one, value)) : isOf(rule, value)),
  enum: (rule, value) => (rule as JsonValue[]).includes(value),
  pattern: (rule, value) => typeof value !== "string" || new RegExp(rule as string, "u").test(value),
  minLength: (rule, value) => typeof value !== "string" || length(value) >= (rule as number),
  maxLength: (rule, value) => typeof value !== "string" || length(value) <= (rule as number),
  minimum: (rule, value) => typeof value !== "number" || value >= (rule as number),
  maximum: (rule, value) => typeof value !== "number" || value <= (rule as number),
  minItems: (rule, value) => !Array.isArray(value) || value.length >= (rule as number),
  maxItems: (rule, value) => !Array.isArray(value) || value.length <= (rule as number),
  uniqueItems: (_, value) => !Array.isArray(value) || new Set(value).size === value.length,
  required: (rule, value) => !isObject(value) || (rule as string[]).every((name) => name in value),
  format: (rule, value) => rule === "date-time" && !Number.isNaN(Date.parse(value as string)),
};

function problemsOf(root: JsonObject, schema: JsonObject, value: JsonValue, at: string): string[] {
  const fits = (one: JsonValue) => problemsOf(root, one as JsonObject, value, at).length === 0;
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    const check = CHECKS[keyword];
    if (check) return check(rule, value, schema) ? [] : [`${at}: ${keyword}`];
    switch (keyword) {
      case "$schema":
      case "$defs":
      case "title":
        return [];
      case "$ref": {
        const name = (rule as string).replace("#/$defs/", "");
        return problemsOf(root, (root.$defs as JsonObject)[name] as JsonObject, value, at);
      }
      case "properties":
        return Object.entries(isObject(value) ? value : {}).flatMap(([name, item]) => {
          const property = (rule as JsonObject)[name];
          return property ? problemsOf(root, property as JsonObject, item, `${at}.${name}`) : [];
        });
      case "additionalProperties": {
        const others = Object.entries(isObject(value) ? value : {}).filter(
          ([name]) => !(name in ((schema.properties ?? {}) as JsonObject)),
        );
        if (rule === false) return others.length === 0 ? [] : [`${at}: additionalProperties`];
        return others.flatMap(([name, item]) => problemsOf(root, rule as JsonObject, item, `${at}.${name}`));
      }
      case "items":
        return (Array.isArray(value) ? value : []).flatMap((item, i) =>
          problemsOf(root, rule as JsonObject, item, `${at}[${i}]`),
        );
      case "allOf":
        return (rule as JsonObject[]).flatMap((one) => problemsOf(root, one, value, at));
      case "oneOf":
        return (rule as JsonValue[]).filter(fits).length === 1 ? [] : [`${at}: oneOf`];
      case "anyOf":
        return (rule as JsonValue[]).some(fits) ? [] : [`${at}: anyOf`];
      case "not":
        return fits(rule) ? [`${at}: not`] : [];
      default:
        throw new Error(`a keyword that is not known here: ${keyword}`);
    }
  });
}
