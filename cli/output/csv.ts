import { printable } from "./text.ts";

/** An amount, with or without its currency. */
export const AMOUNT = /^(-?\d+(?:\.\d+)?)(?: ([A-Z]{3}))?$/;

/** What a spreadsheet may take for a formula; amounts, signs included, are none. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/;

/** A line of CSV by RFC 4180, without its end. A text that a spreadsheet would compute has a ' before it. */
export function csvLine(texts: readonly string[]): string {
  return texts.map((text) => csvCell(csvText(printable(text)))).join(",");
}

/** A text that a spreadsheet shows and does not compute: it may come from a customer of a customer. */
function csvText(text: string): string {
  return FORMULA.test(text) && !AMOUNT.test(text) ? `'${text}` : text;
}

function csvCell(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
