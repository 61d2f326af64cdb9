import type { PdfDocument, PdfText, Style } from "./pdf-text.ts";

/** A4 with its margins, in points: 1/72 of an inch. */
export const PAGE = { width: 595.28, height: 841.89, side: 54, top: 60, bottom: 72 };
/** What is between the margins. */
export const WIDTH = PAGE.width - 2 * PAGE.side;
/** Where rows end. */
export const END = PAGE.height - PAGE.bottom;
/** Between things that stand apart. */
export const GAP = 12;

/** For what explains. */
export const GRAY = "#666666";
const RED = "#b00000";

/** A cell of a row: a text, in its column. */
export interface Cell {
  text: string;
  x: number;
  width: number;
  right?: boolean;
  style: Style;
}

/** Pages in the making. */
export type Page = ReturnType<typeof createPage>;

/** Rows below each other, from page to page. `head` is drawn at the top of each new one. */
export function createPage(pdf: PdfDocument, text: PdfText) {
  let y = PAGE.top;
  let head = () => {};
  const leading = ({ size }: Style) => size * 1.4;
  const linesOf = (cell: Cell) => text.lines(cell.text, cell.style, cell.width);
  const heightOf = (cells: readonly Cell[]) =>
    Math.max(...cells.map((cell) => linesOf(cell).length * leading(cell.style)), 0);

  /** Goes on to the next page, unless `height` is left on this one. */
  function need(height: number): void {
    if (y + height <= END) return;
    pdf.addPage();
    y = PAGE.top;
    head();
  }

  /** Draws cells beside each other, on one page. */
  function row(cells: readonly Cell[]): void {
    const height = heightOf(cells);
    need(height);
    for (const cell of cells) {
      linesOf(cell).forEach((line, at) => {
        const baseline = y + leading(cell.style) * at + cell.style.size;
        text.write(line, { x: cell.x, y: baseline, width: cell.width, right: cell.right === true }, cell.style);
      });
    }
    y += height;
  }

  return {
    text,
    need,
    row,
    heightOf,
    leave: (height: number) => {
      y += height;
    },
    rule: (color: string, x = PAGE.side) => {
      pdf
        .moveTo(x, y)
        .lineTo(PAGE.side + WIDTH, y)
        .lineWidth(0.5)
        .strokeColor(color)
        .stroke();
    },
    paragraph: (words: string, style: Style) => {
      for (const line of text.lines(words, style, WIDTH)) row([{ text: line, x: PAGE.side, width: WIDTH, style }]);
    },
    repeat: (draw: () => void) => {
      head = draw;
    },
    /** A word in a frame, to the right of the title. */
    stamp: (word: string) => {
      const style = { size: 20, bold: true, color: RED };
      const width = text.widthOf(word, style);
      const x = PAGE.side + WIDTH - width - 10;
      pdf
        .rect(x - 10, y - 5, width + 20, 34)
        .lineWidth(2)
        .strokeColor(RED)
        .stroke();
      text.write(word, { x, y: y + 20, width }, style);
      return width + 30;
    },
  };
}
