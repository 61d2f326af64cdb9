import type { JsonObject } from "@bufbuild/protobuf";
import { csvLine } from "../output/csv.ts";
import { fieldText, valueAt } from "../output/listing.ts";

/** How rows are written. */
export type Format = "ndjson" | "csv";

/** Writes rows as lines of a format. */
export interface RowText {
  /** What stands before the first row. */
  head: string;
  lineOf(row: JsonObject): string;
}

/** The rows of one kind in a format. A column of CSV is a field, such as `line.kind`; its last part is its title. */
export function rowText(format: Format, columns: readonly string[]): RowText {
  if (format === "ndjson") return { head: "", lineOf: (row) => `${JSON.stringify(row)}\n` };
  return {
    head: `${csvLine(columns.map((path) => path.slice(path.lastIndexOf(".") + 1)))}\r\n`,
    lineOf: (row) => `${csvLine(columns.map((path) => fieldText(valueAt(row, path))))}\r\n`,
  };
}
