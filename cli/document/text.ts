import { styleText } from "node:util";
import { facts } from "../output/table.ts";
import { printable } from "../output/text.ts";
import { columnTitles, type Document, type DocumentPart, type DocumentParty } from "./document.ts";

const WIDTH_MAX = 80;
const GAP = "  ";

interface Row {
  text: string;
  quantity: string;
  amount: string;
}

/** A document as text of at most 80 columns. Nothing is cut: what is too long goes on below. */
export function documentText(document: Document, width = terminalWidth()): string {
  const [kind = "", ...name] = document.title.split(/ (?=\S+$)/);
  const head = facts({ [kind]: name.join(" "), ...document.facts });
  const parties = document.parties.length > 0 ? [partiesText(document.parties, width)] : [];
  const notes = document.notes.map((note) => wrapped(printable(note), width).join("\n"));
  return [head, ...parties, linesText(document, width), ...notes].join("\n\n");
}

function linesText(document: Document, width: number): string {
  const { lines, sums } = document;
  const { text: words, quantity: count, amount: money } = columnTitles(document);
  const title = { text: words.toUpperCase(), quantity: count.toUpperCase(), amount: money.toUpperCase() };
  const rows: Row[] = [
    ...lines.flatMap(({ parts, ...line }) => [line, ...parts.map(partRow)]),
    ...sums.flatMap(({ text, amount, parts = [] }) => [{ text, quantity: "", amount }, ...parts.map(partRow)]),
  ].map(({ text, quantity, amount }) => ({ text: printable(text), quantity, amount }));
  const all = [title, ...rows];
  const quantity = Math.max(...all.map((row) => row.quantity.length));
  const amount = Math.max(...all.map((row) => row.amount.length));
  const most = Math.max(...all.map((row) => row.text.length));
  const text = Math.min(most, width - quantity - amount - (quantity > 0 ? 2 : 1) * GAP.length);
  const texts = all.map((row) => rowText(row, { text, quantity, amount }));
  return [styleText("bold", texts[0] as string, { stream: process.stdout }), ...texts.slice(1)].join("\n");
}

function partRow({ text, amount }: DocumentPart): Row {
  return { text: `  ${text}`, quantity: "", amount };
}

function rowText(row: Row, widths: { text: number; quantity: number; amount: number }): string {
  const indent = /^ */.exec(row.text)?.[0] ?? "";
  const [first = "", ...more] = wrapped(row.text.trim(), widths.text - indent.length);
  const line = [
    (indent + first).padEnd(widths.text),
    ...(widths.quantity > 0 ? [row.quantity.padStart(widths.quantity)] : []),
    row.amount.padStart(widths.amount),
  ];
  return [line.join(GAP).trimEnd(), ...more.map((rest) => `${indent}  ${rest}`)].join("\n");
}

/** Beside each other. */
function partiesText(parties: readonly DocumentParty[], width: number): string {
  const column = Math.floor((width - GAP.length) / 2);
  const columns = parties.map(({ role, lines }) => [
    role.toUpperCase(),
    ...lines.flatMap((line) => wrapped(printable(line), column)),
  ]);
  const widest = Math.max(...(columns[0] ?? []).map((line) => line.length));
  const height = Math.max(...columns.map((lines) => lines.length));
  return Array.from({ length: height }, (_, at) =>
    columns
      .map((lines) => (lines[at] ?? "").padEnd(widest))
      .join(GAP.repeat(2))
      .trimEnd(),
  ).join("\n");
}

/** Lines of at most `width` (less two, from the second on), broken between words; a word that is longer is broken too. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const cut = space > 0 ? space : width;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, rest];
}

function terminalWidth(): number {
  return Math.min(WIDTH_MAX, process.stdout.isTTY ? process.stdout.columns : WIDTH_MAX);
}
