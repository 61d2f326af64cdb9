// What is drawn, as data: lines of spans. Views make them, tests read them, and one component draws them.

/** A piece of a line in one look. */
export interface Span {
  readonly text: string;
  readonly color?: Color;
  readonly bold?: boolean;
  readonly dim?: boolean;
}

/** Colours with a meaning. Each comes with a word beside it, for those who see none. */
export type Color = "green" | "yellow" | "red" | "cyan" | "magenta" | "blue";

/** One line. */
export interface Line {
  readonly spans: readonly Span[];
  /** Marked as the one that keys act on. */
  readonly selected?: boolean;
}

/** A line in one look. */
export function line(text: string, look: Omit<Span, "text"> = {}): Line {
  return { spans: [{ text, ...look }] };
}

/** A line of several pieces. */
export function lineOf(...spans: readonly (Span | string)[]): Line {
  return { spans: spans.map((span) => (typeof span === "string" ? { text: span } : span)) };
}

/** What a line says, without looks. */
export function plainText({ spans }: Line): string {
  return spans.map(({ text }) => text).join("");
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;
const ASCII = /^[\x20-\x7e]*$/;

/** How many cells of a terminal a text takes. */
export function cells(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** A text in exactly `width` cells: filled, or cut with `…`. */
export function fitted(text: string, width: number, right = false): string {
  if (width <= 0) return "";
  const taken = cells(text);
  if (taken <= width) return right ? " ".repeat(width - taken) + text : text + " ".repeat(width - taken);
  let cut = "";
  let used = 0;
  for (const character of text) {
    const more = cells(character);
    if (used + more > width - 1) break;
    cut += character;
    used += more;
  }
  return `${cut}…${" ".repeat(width - 1 - used)}`;
}
