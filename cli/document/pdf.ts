import { buffer } from "node:stream/consumers";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { columnTitles, type Document, type DocumentLine, type DocumentSum } from "./document.ts";
import { type Cell, createPage, END, GAP, GRAY, PAGE, type Page, WIDTH } from "./pdf-page.ts";
import { type PdfDocument, type PdfText, pdfText, type Style } from "./pdf-text.ts";

const INK = "#111111";
const RULE = "#cccccc";
const TITLE: Style = { size: 20, bold: true };
const BODY: Style = { size: 9.5 };
const STRONG: Style = { size: 9.5, bold: true };
const LABEL: Style = { size: 8.5, color: GRAY };
const PART: Style = { size: 8, color: GRAY };

/** A document as PDF, and the characters of it that no font has. */
export interface Pdf {
  bytes: Buffer;
  missing: string[];
}

/** Draws a document on pages of A4. The same document makes the same bytes. pdfkit is loaded only here: few commands need it. */
export async function documentPdf(document: Document): Promise<Pdf> {
  const { default: PDFDocument } = await import("pdfkit");
  const made = document.at ? timestampDate(document.at) : new Date(0);
  const pdf = new PDFDocument({
    size: "A4",
    margin: 0,
    bufferPages: true,
    lang: "en",
    info: { Title: document.title, Creator: "UsageFlow", CreationDate: made, ModDate: made },
  });
  const bytes = buffer(pdf);
  const text = pdfText(pdf);
  const page = createPage(pdf, text);
  drawHead(page, document);
  drawFacts(page, document.facts);
  drawLines(page, document);
  for (const note of document.notes) {
    page.leave(GAP);
    page.paragraph(note, BODY);
  }
  numberPages(pdf, text, document.title);
  pdf.end();
  return { bytes: await bytes, missing: [...text.missing] };
}

function drawHead(page: Page, { title, stamp, parties }: Document): void {
  const stamped = stamp === "" ? 0 : page.stamp(stamp);
  page.row([{ text: title, x: PAGE.side, width: WIDTH - stamped, style: TITLE }]);
  page.leave(2 * GAP);
  if (parties.length === 0) return;
  const width = (WIDTH - 2 * GAP) / 2;
  const columns = parties.map(({ role, lines: [name = "", ...rest] }, at) => {
    const x = PAGE.side + at * (width + 2 * GAP);
    const cells = (text: string, style: Style) =>
      page.text.lines(text, style, width).map((line) => ({ text: line, x, width, style }));
    return [...cells(role, LABEL), ...cells(name, STRONG), ...rest.flatMap((line) => cells(line, BODY))];
  });
  const height = Math.max(...columns.map((cells) => cells.length));
  for (let at = 0; at < height; at++) page.row(columns.flatMap((cells) => cells[at] ?? []));
  page.leave(2 * GAP);
}

function drawFacts(page: Page, facts: Record<string, string>): void {
  const told = Object.entries(facts).filter(([, value]) => value !== "");
  const names = Math.max(...told.map(([name]) => page.text.widthOf(name, LABEL))) + GAP;
  for (const [name, value] of told) {
    page.row([
      { text: name, x: PAGE.side, width: names, style: { ...LABEL, size: BODY.size } },
      { text: value, x: PAGE.side + names + GAP, width: WIDTH - names - GAP, style: BODY },
    ]);
  }
  page.leave(2 * GAP);
}

function drawLines(page: Page, document: Document): void {
  const { lines, sums } = document;
  const title = columnTitles(document);
  const cellsOf = tableColumns(page, lines, sums);
  const head = () => {
    page.row(cellsOf(title.text, title.quantity, title.amount, LABEL));
    page.leave(3);
    page.rule(INK);
    page.leave(5);
  };
  page.need(4 * GAP);
  head();
  page.repeat(head);
  for (const line of lines) {
    const rows = [
      cellsOf(line.text, line.quantity, line.amount, BODY),
      ...line.parts.map((part) => cellsOf(part.text, "", part.amount, PART)),
    ];
    const height = rows.reduce((sum, cells) => sum + page.heightOf(cells), 0);
    // A line stays together with its parts, unless they fill more than a page.
    page.need(height < END - PAGE.top - 4 * GAP ? height + GAP : page.heightOf(rows[0] ?? []));
    for (const cells of rows) page.row(cells);
    page.leave(4);
    page.rule(RULE);
    page.leave(5);
  }
  page.repeat(() => {});
  const rows = sums.flatMap(({ text, amount, strong, parts = [] }) => [
    sumCells(cellsOf(text, "", amount, strong ? STRONG : BODY)),
    ...parts.map((part) => sumCells(cellsOf(part.text, "", part.amount, PART))),
  ]);
  const height = rows.reduce((sum, cells) => sum + page.heightOf(cells) + 3, 0);
  page.need(height < END - PAGE.top ? height : 0);
  for (const cells of rows) {
    page.row(cells);
    page.leave(3);
  }
}

/** Sums stand in the right half, near their amounts. */
function sumCells(cells: readonly Cell[]): Cell[] {
  return cells.map((cell) => (cell.right ? cell : { ...cell, x: cell.x + WIDTH / 2, width: cell.width - WIDTH / 2 }));
}

/** Amounts and quantities are as wide as the widest of them, within reason; the words have the rest. */
function tableColumns(page: Page, lines: readonly DocumentLine[], sums: readonly DocumentSum[]) {
  const widest = (texts: readonly string[], most: number) =>
    Math.min(most, Math.max(...texts.map((text) => page.text.widthOf(text, STRONG)))) + 1;
  const amounts = [...lines, ...sums, ...lines.flatMap(({ parts }) => parts)].map(({ amount }) => amount);
  const amount = widest(["Amount", ...amounts], 150);
  const quantity = widest(["Quantity", ...lines.map((line) => line.quantity)], 150);
  const text = WIDTH - amount - quantity - 2 * GAP;
  return (words: string, count: string, money: string, style: Style): Cell[] => {
    const indent = style === PART ? GAP : 0;
    return [
      // A sum has no quantity, so its words may use that column too.
      {
        text: words,
        x: PAGE.side + indent,
        width: text - indent + (count === "" ? quantity + GAP : 0),
        style,
      },
      { text: count, x: PAGE.side + text + GAP, width: quantity, right: true, style },
      { text: money, x: PAGE.side + WIDTH - amount, width: amount, right: true, style },
    ];
  };
}

function numberPages(pdf: PdfDocument, text: PdfText, title: string): void {
  const { start, count } = pdf.bufferedPageRange();
  for (let at = 0; at < count; at++) {
    pdf.switchToPage(start + at);
    const y = PAGE.height - PAGE.bottom / 2;
    const number = `Page ${at + 1} of ${count}`;
    const width = text.widthOf(number, LABEL);
    const [name = ""] = text.lines(title, LABEL, WIDTH - width - GAP);
    text.write(name, { x: PAGE.side, y, width: WIDTH }, LABEL);
    text.write(number, { x: PAGE.side, y, width: WIDTH, right: true }, LABEL);
  }
}
