import { createRequire } from "node:module";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import Big from "big.js";
import { CliError } from "../cli-error.ts";
import { AMOUNT, csvLine } from "./csv.ts";
import { type Column, fitting, table } from "./table.ts";

/** How a list is to be shown: what the flags of every list command say. */
export interface Showing {
  output?: "table" | "json" | "yaml" | "csv" | undefined;
  columns?: string[] | undefined;
  sort?: string[] | undefined;
}

/** One item of a list, and its JSON, which is made when somebody asks for it. */
export interface Listed<Item> {
  item: Item;
  json: () => JsonObject;
}

/** What is shown of a list: its items in order, and its columns. */
export interface Listing<Item> {
  items: readonly Listed<Item>[];
  columns: readonly Column<Listed<Item>>[];
}

/**
 * The items in the order, and with the columns, that the flags say. A column is named by its title, as `first-seen` for
 * FIRST SEEN, or is a field of the item's JSON, such as `billing.buyer.name`.
 */
export function listing<Item>(
  items: readonly Listed<Item>[],
  columns: readonly Column<Item>[],
  showing: Showing,
): Listing<Item> {
  if (showing.columns && (showing.output === "json" || showing.output === "yaml")) {
    throw new CliError("usage", `--columns is for tables and CSV: ${showing.output} has all fields`);
  }
  const titled = columns.map((column) => ({ ...column, value: ({ item }: Listed<Item>) => column.value(item) }));
  const named = (name: string) => columnNamed(name, titled, items);
  const orders = (showing.sort ?? []).map((name) => ({
    of: named(name.replace(/^-/, "")),
    down: name.startsWith("-"),
  }));
  const sorted = items.toSorted((a, b) => {
    for (const { of, down } of orders) {
      const order = compared(of.value(a), of.value(b), down);
      if (order !== 0) return order;
    }
    return 0;
  });
  return { items: sorted, columns: showing.columns?.map(named) ?? titled.filter(({ asked }) => !asked) };
}

/** A list as text: a table, or CSV. */
export function listingText<Item>({ items, columns }: Listing<Item>, output: Showing["output"]): string {
  if (output !== "csv") return items.length > 0 ? table(columns, items) : "";
  const head = columns.map(({ title }) => nameOf(title));
  const rows = items.map((item) => columns.map(({ value }) => value(item)));
  return [head, ...rows].map((cells) => `${csvLine(cells)}\r`).join("\n"); // who prints it ends the line
}

/** Which columns a narrow terminal leaves out, and how they are seen. Empty: none. */
export function leftOutWords<Item>({ items, columns }: Listing<Item>): string {
  if (items.length === 0) return "";
  const shown = fitting(columns, items);
  const names = columns.filter((column) => !shown.includes(column)).map(({ title }) => nameOf(title));
  return names.length > 0
    ? `Left out for want of width: ${names.join(", ")}. A wider window shows them, or --columns.`
    : "";
}

/** Something as YAML, whole: what `--json` gives, for eyes. */
export function yamlText(json: JsonValue): string {
  // Loaded here and at once: the other commands start without it.
  const { stringify } = createRequire(import.meta.url)("yaml") as typeof import("yaml");
  return stringify(json, { lineWidth: 0 }).trimEnd();
}

function nameOf(title: string): string {
  return title.toLowerCase().replaceAll(" ", "-");
}

function columnNamed<Item>(
  name: string,
  titled: readonly Column<Listed<Item>>[],
  items: readonly Listed<Item>[],
): Column<Listed<Item>> {
  const found = titled.find(({ title }) => nameOf(title) === nameOf(name));
  if (found) {
    const { spare, ...asked } = found;
    return asked;
  }
  const [first] = items;
  if (
    first &&
    valueAt(first.json(), name) === undefined &&
    !items.some(({ json }) => valueAt(json(), name) !== undefined)
  ) {
    const fields = Object.keys(first.json()).join(", ");
    const hint = `Columns: ${titled.map(({ title }) => nameOf(title)).join(", ")}. Fields: ${fields}.`;
    throw new CliError("usage", `there is no column "${name}"`, { hint });
  }
  return { title: name, value: ({ json }) => fieldText(valueAt(json(), name)) };
}

/** The value at a path such as `billing.buyer.name`. */
export function valueAt(json: JsonValue, path: string): JsonValue | undefined {
  let at: JsonValue | undefined = json;
  for (const part of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, JsonValue>)[part];
  }
  return at;
}

/** A value of JSON as the text of a cell. */
export function fieldText(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Amounts by their currency and their size, all else by its characters. What is empty comes last, whichever way. */
function compared(a: string, b: string, down: boolean): number {
  if (a === "" || b === "") return Number(a === "") - Number(b === "");
  const [, size, currency = ""] = AMOUNT.exec(a) ?? [];
  const [, otherSize, otherCurrency = ""] = AMOUNT.exec(b) ?? [];
  const bySize = size !== undefined && otherSize !== undefined;
  const [one, other] = bySize && currency !== otherCurrency ? [currency, otherCurrency] : [a, b];
  const order =
    bySize && currency === otherCurrency ? new Big(size).cmp(otherSize) : one < other ? -1 : Number(one > other);
  return down ? -order : order;
}
