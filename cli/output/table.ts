import { styleText } from "node:util";
import { printable } from "./text.ts";

/** One column of a table. */
export interface Column<Row> {
  title: string;
  value: (row: Row) => string;
  /** Numbers stand to the right. */
  right?: boolean;
  /** May be cut where the terminal is narrow. Ids may not: a cut one is of no use. */
  cut?: boolean;
}

const GAP = "  ";
const CUT_WIDTH_MIN = 8;

/**
 * Rows under titles, one line each, without borders: made for eyes and for grep. Cut to the width of the terminal;
 * without one (`width` undefined: a pipe) whole.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width = terminalWidth()): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = columns.map((column, at) =>
    cells.reduce((widest, line) => Math.max(widest, (line[at] as string).length), column.title.length),
  );
  if (width !== undefined) shrink(columns, widths, width);
  const line = (texts: readonly string[]) =>
    texts
      .map((text, at) => padded(text, widths[at] as number, columns[at]?.right))
      .join(GAP)
      .trimEnd();
  const title = styleText("bold", line(columns.map((column) => column.title)), { stream: process.stdout });
  return [title, ...cells.map(line)].join("\n");
}

/** Names and values below each other, for one thing. What is empty is left out. */
export function facts(pairs: Record<string, string>): string {
  const told = Object.entries(pairs).filter(([, value]) => value !== "");
  const width = Math.max(...told.map(([name]) => name.length));
  return told.map(([name, value]) => `${name.padEnd(width)}${GAP}${printable(value)}`).join("\n");
}

function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

function shrink<Row>(columns: readonly Column<Row>[], widths: number[], width: number): void {
  const gaps = GAP.length * (columns.length - 1);
  for (let over = widths.reduce((sum, w) => sum + w, gaps) - width; over > 0; over--) {
    let widest = -1;
    columns.forEach((column, at) => {
      const here = widths[at] as number;
      if (column.cut && here > CUT_WIDTH_MIN && here > (widths[widest] ?? 0)) widest = at;
    });
    if (widest < 0) return;
    widths[widest] = (widths[widest] as number) - 1;
  }
}

function padded(text: string, width: number, right = false): string {
  const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
  return right ? cut.padStart(width) : cut.padEnd(width);
}
