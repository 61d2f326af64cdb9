import { styleText } from "node:util";
import { printable } from "./text.ts";

/** One column of a table. */
export interface Column<Row> {
  title: string;
  value: (row: Row) => string;
  /** Numbers stand to the right. */
  right?: boolean;
  /** May be cut where the terminal is narrow; `last`: after the others. An id keeps its end, which tells it from others. */
  cut?: true | "last";
  /** Left out where the terminal is narrow, before anything is cut. */
  spare?: true;
  /** Shown to those alone who ask for it. */
  asked?: true;
}

const GAP = "  ";
const CUT_WIDTH_MIN = 8;
/** So much of what may be cut takes the place of what can be spared; the rest of a long text does not. */
const CUT_WIDTH_KEPT = 40;

/**
 * Rows under titles, one line each, without borders: made for eyes and for grep. Cut to the width of the terminal;
 * without one (`width` undefined: a pipe) whole.
 */
export function table<Row>(all: readonly Column<Row>[], rows: readonly Row[], width = terminalWidth()): string {
  const columns = fitting(all, rows, width);
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = widthsOf(columns, rows);
  if (width !== undefined) shrink(columns, widths, width);
  const line = (texts: readonly string[]) =>
    texts
      .map((text, at) => padded(text, widths[at] as number, columns[at]?.right))
      .join(GAP)
      .trimEnd();
  const title = styleText("bold", line(columns.map((column) => column.title)), { stream: process.stdout });
  return [title, ...cells.map(line)].join("\n");
}

/** The columns that a table has in this width: without those that it can spare, the last of them first. */
export function fitting<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width = terminalWidth(),
): readonly Column<Row>[] {
  if (width === undefined) return columns;
  const widths = widthsOf(columns, rows);
  const kept = columns.map((column, at) => {
    const whole = widths[at] as number;
    return { column, width: column.cut ? Math.min(whole, CUT_WIDTH_KEPT) : whole };
  });
  const isTooWide = () =>
    excess(
      kept.map((one) => one.width),
      width,
    ) > 0;
  for (let at = kept.length - 1; at >= 0 && isTooWide(); at--) if (kept[at]?.column.spare) kept.splice(at, 1);
  return kept.map(({ column }) => column);
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

function widthsOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): number[] {
  return columns.map((column) =>
    rows.reduce((widest, row) => Math.max(widest, printable(column.value(row)).length), column.title.length),
  );
}

/** By how much lines are too long. */
function excess(widths: readonly number[], width: number): number {
  return widths.reduce((sum, w) => sum + w, GAP.length * (widths.length - 1)) - width;
}

/** Takes from the widest column that may be cut, until lines fit. */
function shrink<Row>(columns: readonly Column<Row>[], widths: number[], width: number): void {
  for (const turn of [true, "last"]) {
    for (let over = excess(widths, width); over > 0; over--) {
      let widest = -1;
      columns.forEach((column, at) => {
        const here = widths[at] as number;
        if (column.cut === turn && here > CUT_WIDTH_MIN && here > (widths[widest] ?? 0)) widest = at;
      });
      if (widest < 0) break;
      widths[widest] = (widths[widest] as number) - 1;
    }
  }
}

function padded(text: string, width: number, right = false): string {
  const cut = text.length > width ? cutTo(text, width) : text;
  return right ? cut.padStart(width) : cut.padEnd(width);
}

const ID = /^([a-z]+_)[0-9A-Za-z]{22}$/;

function cutTo(text: string, width: number): string {
  const [, prefix = ""] = ID.exec(text) ?? [];
  const end = width - prefix.length - 1;
  return prefix && end > 0 ? `${prefix}…${text.slice(-end)}` : `${text.slice(0, width - 1)}…`;
}
