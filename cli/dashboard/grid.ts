import { printable } from "../output/text.ts";
import { type Color, fitted, type Line, type Span } from "./line.ts";
import { windowOf } from "./list-window.ts";

/** One column of a list. Widths are fixed, so that nothing jumps while it scrolls; one column may take what is left. */
export interface GridColumn<Row> {
  title: string;
  width: number | "rest";
  value: (row: Row) => string;
  color?: (row: Row) => Color | undefined;
  right?: boolean;
  dim?: boolean;
  /** Left out where there are fewer cells than this. */
  from?: number;
}

/** A list in a box of this size. */
export interface Grid<Row> {
  columns: readonly GridColumn<Row>[];
  rows: readonly Row[];
  selected: number;
  width: number;
  height: number;
}

const GAP = 2;
const REST_MIN = 8;
const MARK = { here: "▸ ", not: "  " };

/** The titles, and the rows around the selected one: no others are looked at, however many there are. */
export function gridLines<Row>({ columns, rows, selected, width, height }: Grid<Row>): Line[] {
  const shown = columns.filter(({ from = 0 }) => width >= from);
  const widths = widthsOf(shown, width - MARK.here.length);
  const line = (mark: string, textOf: (column: GridColumn<Row>) => Span): Span[] => [
    { text: mark },
    ...shown.flatMap((column, at) => {
      const { text, ...look } = textOf(column);
      const gap = at === 0 ? "" : " ".repeat(GAP);
      return [{ ...look, text: gap + fitted(text, widths[at] as number, column.right) }];
    }),
  ];
  const titles = { spans: line(MARK.not, ({ title }) => ({ text: title, bold: true })) };
  const { start, end } = windowOf(rows.length, selected, height - 1);
  const body = rows.slice(start, end).map((row, at): Line => {
    const here = start + at === selected;
    const spans = line(here ? MARK.here : MARK.not, ({ value, color, dim }) => {
      const its = color?.(row);
      return { text: printable(value(row)), ...(its ? { color: its } : {}), ...(dim && !here ? { dim } : {}) };
    });
    return here ? { spans, selected: true } : { spans };
  });
  return [titles, ...body];
}

function widthsOf<Row>(columns: readonly GridColumn<Row>[], width: number): number[] {
  const fixed = columns.reduce((sum, column) => sum + (column.width === "rest" ? 0 : column.width), 0);
  const rest = Math.max(REST_MIN, width - fixed - GAP * (columns.length - 1));
  const widths = columns.map((column) => (column.width === "rest" ? rest : column.width));
  const taken = () => widths.reduce((sum, one) => sum + one, GAP * (columns.length - 1));
  // On a narrow terminal the widest give way.
  for (let widest = Math.max(...widths); taken() > width && widest > REST_MIN; widest = Math.max(...widths)) {
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}
