import { create, type DescField, type DescMessage, equals, type MessageShape } from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectList, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type FieldChange, FieldChangeSchema } from "../../gen/usageflow/v1/catalog_diff_pb.ts";

// The difference between two messages of the contract, field by field. It knows their descriptors and nothing else, so a
// field that the contract gets is told without a line here.

/** The field that names an item of a list. */
const KEY = "key";

/** What is another in `after` than in `before`, fields of the whole that are in `except` left out. */
export function fieldChanges<D extends DescMessage>(
  desc: D,
  before: MessageShape<D>,
  after: MessageShape<D>,
  except: readonly string[] = [],
): FieldChange[] {
  const fields = desc.fields.filter((field) => !except.includes(field.name));
  return changesOf(fields, reflect(desc, before), reflect(desc, after), "");
}

/** A part of a message before and after: a field, or an item of a list. */
interface Part {
  path: string;
  field: DescField;
  /** undefined: it is not there. */
  before: unknown;
  after: unknown;
}

function changesOf(fields: readonly DescField[], before: ReflectMessage, after: ReflectMessage, at: string) {
  return fields.flatMap((field) =>
    changesOfPart({
      path: at === "" ? field.jsonName : `${at}.${field.jsonName}`,
      field,
      before: given(before, field),
      after: given(after, field),
    }),
  );
}

function given(message: ReflectMessage, field: DescField): unknown {
  return message.isSet(field) ? message.get(field) : undefined;
}

function changesOfPart(part: Part): FieldChange[] {
  const { path, field, before, after } = part;
  if (field.fieldKind === "list" && field.message) return changesOfList(part, field.message);
  if (field.message && before && after) {
    return changesOf(field.message.fields, before as ReflectMessage, after as ReflectMessage, path);
  }
  return changed(part);
}

/** Items that have a key are the same item under the same key; others by their places, from both ends. */
function changesOfList({ path, field, ...part }: Part, desc: DescMessage): FieldChange[] {
  const before = part.before ? Array.from(part.before as ReflectList<ReflectMessage>) : [];
  const after = part.after ? Array.from(part.after as ReflectList<ReflectMessage>) : [];
  const key = desc.fields.find(({ name }) => name === KEY);
  if (key) return changesOfKeyed(path, desc, keyed(before, key), keyed(after, key));
  let first = 0;
  while (isSame(desc, before[first], after[first])) first++;
  let last = 0; // counted from the ends
  const rest = Math.min(before.length, after.length) - first;
  while (last < rest && isSame(desc, before.at(-1 - last), after.at(-1 - last))) last++;
  const places = Math.max(before.length, after.length) - last - first;
  return Array.from({ length: places }, (_, i) => first + i).flatMap((place) => {
    const old = place < before.length - last ? before[place] : undefined;
    const now = place < after.length - last ? after[place] : undefined;
    const here = `${path}[${place}]`;
    return old && now
      ? changesOf(desc.fields, old, now, here)
      : changed({ path: here, field, before: old, after: now });
  });
}

/** Whether both are there, and the same. A fraction of the time that looking at their fields takes. */
function isSame(desc: DescMessage, a: ReflectMessage | undefined, b: ReflectMessage | undefined): boolean {
  return a !== undefined && b !== undefined && equals(desc, a.message, b.message);
}

function keyed(items: readonly ReflectMessage[], key: DescField): Map<string, ReflectMessage> {
  return new Map(items.map((item) => [String(item.get(key)), item]));
}

type Keyed = ReadonlyMap<string, ReflectMessage>;

function changesOfKeyed(path: string, desc: DescMessage, before: Keyed, after: Keyed): FieldChange[] {
  const order = [...before.keys()].filter((key) => after.has(key));
  const newOrder = [...after.keys()].filter((key) => before.has(key));
  const moved = order.some((key, place) => newOrder[place] !== key);
  const keys = [...before.keys(), ...[...after.keys()].filter((key) => !before.has(key))];
  const changes = keys.flatMap((key) => {
    const [old, now, here] = [before.get(key), after.get(key), `${path}.${key}`];
    if (old && now) return isSame(desc, old, now) ? [] : changesOf(desc.fields, old, now, here);
    return change(here, old ? messageText(old, KEY) : "", now ? messageText(now, KEY) : "");
  });
  return moved ? [change(path, order.join(", "), newOrder.join(", ")), ...changes] : changes;
}

/** The values side by side, when they are different. */
function changed({ path, field, before, after }: Part): FieldChange[] {
  const [old, now] = [textOf(field, before), textOf(field, after)];
  return old === now ? [] : [change(path, old, now)];
}

function change(path: string, oldValue: string, newValue: string): FieldChange {
  return create(FieldChangeSchema, { path, oldValue, newValue });
}

/** A value as a catalog file would write it, on one line. Different values have different texts. */
function textOf(field: DescField, value: unknown): string {
  if (value === undefined) return "";
  if (field.fieldKind !== "list" || isReflectMessage(value)) return itemText(field, value); // an item, or a single value
  return `[${Array.from(value as ReflectList, (item) => itemText(field, item)).join(", ")}]`;
}

function itemText(field: DescField, value: unknown): string {
  if (isReflectMessage(value)) return messageText(value);
  if (field.enum) return field.enum.value[value as number]?.localName ?? String(value);
  return typeof value === "string" ? wordsOf(value) : String(value);
}

/** The fields of a message, without the one that its path names already. */
function messageText(message: ReflectMessage, except = ""): string {
  const told = message.fields.filter((field) => message.isSet(field) && field.name !== except);
  return `{${told.map((field) => `${field.jsonName}: ${textOf(field, message.get(field))}`).join(", ")}}`;
}

/** In quotes where it could be taken for something else. */
function wordsOf(text: string): string {
  return /^[\p{L}\p{N}_]([\p{L}\p{N}_ .%/+-]*[\p{L}\p{N}_.%+-])?$/u.test(text) ? text : JSON.stringify(text);
}
