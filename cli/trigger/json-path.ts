import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** A path such as `invoices[0].id`, as its names and places. */
export function segmentsOf(path: string): (string | number)[] {
  return path.split(/\.|(?=\[)/).map((part) => (/^\[\d+\]$/.test(part) ? Number(part.slice(1, -1)) : part));
}

/** What stands at a path; undefined where it leads nowhere. */
export function valueAt(value: JsonValue | undefined, path: readonly (string | number)[]): JsonValue | undefined {
  let at = value;
  for (const segment of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Record<string | number, JsonValue>)[segment];
  }
  return at;
}

/** The same object with another value at a path. Objects and lists on the way are made. */
export function withValue(value: JsonValue | undefined, path: readonly (string | number)[], set: JsonValue): JsonValue {
  const [segment, ...rest] = path;
  if (segment === undefined) return set;
  if (typeof segment === "number") {
    const list = Array.isArray(value) ? [...value] : [];
    list[segment] = withValue(list[segment], rest, set);
    return list;
  }
  const object: JsonObject = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  return { ...object, [segment]: withValue(object[segment], rest, set) };
}

const REFERENCE = /\{([^}]+)\}/g;

/** A value with its references resolved. A text that is one reference becomes what it refers to, of whatever kind. */
export function resolved(value: JsonValue, lookUp: (reference: string) => JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map((item) => resolved(item, lookUp));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, resolved(each, lookUp)]));
  }
  if (typeof value !== "string") return value;
  const [whole, reference] = /^\{([^}]+)\}$/.exec(value) ?? [];
  if (whole) return lookUp(reference as string);
  return value.replace(REFERENCE, (_, name: string) => String(lookUp(name)));
}
