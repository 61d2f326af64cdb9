import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { printable } from "../output/text.ts";
import { unpackWoff } from "./woff.ts";

/** A PDF in the making. */
export type PdfDocument = InstanceType<typeof import("pdfkit")>;

/** How a text looks. */
export interface Style {
  size: number;
  bold?: boolean;
  color?: string;
}

/** Where a text stands: `width` is what it is aligned in. */
export interface Place {
  x: number;
  /** The baseline. */
  y: number;
  width: number;
  right?: boolean;
}

/** Writes on a PDF, in any script. */
export interface PdfText {
  /** The text in lines that fit `width`, broken between words; a word that is wider is broken too. */
  lines(text: string, style: Style, width: number): string[];
  widthOf(line: string, style: Style): number;
  /** Writes one line. */
  write(line: string, place: Place, style: Style): void;
  /** What no font has, in the order in which it was met. It is shown as �. */
  missing: Set<string>;
}

// PDF's own fonts know Western European letters only, so fonts are embedded, of which a PDF holds the letters that it uses.
// Noto Sans has Latin, Greek, Cyrillic and Devanagari. UnifontEX is made of dots, and has every script of the world.
const FONTS = {
  regular: "@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf",
  bold: "@expo-google-fonts/noto-sans/600SemiBold/NotoSans_600SemiBold.ttf",
  others: "@fontsource/unifontex/files/unifontex-latin-400-normal.woff",
};

const REPLACEMENT = "\ufffd";
const INK = "#111111";

/** A part of a line that one font writes. */
interface Run {
  font: FontName;
  text: string;
}

type FontName = keyof typeof FONTS;
type HasGlyphs = (grapheme: string) => boolean;

/** Opens the fonts for a PDF. */
export function pdfText(pdf: PdfDocument): PdfText {
  const opened = new Map<FontName, HasGlyphs>();
  const missing = new Set<string>();
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

  /** Whether a font has a letter with its marks. Fonts are opened when they are needed: the last one is large. */
  function has(font: FontName, grapheme: string): boolean {
    const hasGlyphs = opened.get(font) ?? openFont(pdf, font);
    opened.set(font, hasGlyphs);
    return hasGlyphs(grapheme);
  }

  /** Letters stay together with their marks, and neighbours of one font with each other, so that they are shaped. */
  function runsOf(line: string, bold = false): Run[] {
    const runs: Run[] = [];
    for (const { segment } of graphemes.segment(line)) {
      const font = ([bold ? "bold" : "regular", "others"] as const).find((each) => has(each, segment));
      if (!font) missing.add(segment);
      const last = runs.at(-1);
      const run = { font: font ?? "others", text: font ? segment : REPLACEMENT };
      if (last?.font === run.font) last.text += run.text;
      else runs.push(run);
    }
    return runs;
  }

  function runWidth({ font, text }: Run, { size }: Style): number {
    return pdf.font(font).fontSize(size).widthOfString(text);
  }

  function widthOf(line: string, style: Style): number {
    return runsOf(line, style.bold).reduce((sum, run) => sum + runWidth(run, style), 0);
  }

  function lines(text: string, style: Style, width: number): string[] {
    const found: string[] = [];
    let line = "";
    for (const word of printable(text).trim().split(/\s+/)) {
      const longer = line === "" ? word : `${line} ${word}`;
      if (widthOf(longer, style) <= width) {
        line = longer;
        continue;
      }
      if (line !== "") found.push(line);
      line = "";
      for (const { segment } of graphemes.segment(word)) {
        if (line !== "" && widthOf(line + segment, style) > width) {
          found.push(line);
          line = "";
        }
        line += segment;
      }
    }
    return [...found, line];
  }

  function write(line: string, { x, y, width, right }: Place, style: Style): void {
    let at = right ? x + width - widthOf(line, style) : x;
    for (const run of runsOf(line, style.bold)) {
      pdf
        .font(run.font)
        .fontSize(style.size)
        .fillColor(style.color ?? INK);
      pdf.text(run.text, at, y, { lineBreak: false, baseline: "alphabetic" });
      at += runWidth(run, style);
    }
  }

  return { lines, widthOf, write, missing };
}

/** What pdfkit holds of a font, of which its types say nothing. */
interface OpenFont {
  _font: { font: { hasGlyphForCodePoint(codePoint: number): boolean } };
}

/** Makes a font known by its name, and answers whether it has all of a letter with its marks. */
function openFont(pdf: PdfDocument, name: FontName): HasGlyphs {
  const file = readFileSync(fileURLToPath(import.meta.resolve(FONTS[name])));
  pdf.registerFont(name, FONTS[name].endsWith(".woff") ? unpackWoff(file) : file);
  const { font } = (pdf.font(name) as unknown as OpenFont)._font;
  const known = new Map<string, boolean>();
  return (grapheme) => {
    const found =
      known.get(grapheme) ?? [...grapheme].every((each) => font.hasGlyphForCodePoint(each.codePointAt(0) ?? 0));
    known.set(grapheme, found);
    return found;
  };
}
