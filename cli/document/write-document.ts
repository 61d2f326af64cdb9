import { Flags } from "@oclif/core";
import { writeWhole } from "../write-file.ts";
import type { Document } from "./document.ts";
import { documentHtml } from "./html.ts";
import { documentPdf } from "./pdf.ts";

/** Flags of commands that show a document. */
export const documentFlags = {
  html: Flags.string({ description: "Write it to this file instead, as HTML that prints well.", helpValue: "FILE" }),
  pdf: Flags.string({ description: "Write it to this file instead, as PDF.", helpValue: "FILE" }),
};

/** Writes a document to the files that flags name, says so in words, and answers whether there were any. */
export async function writeDocument(
  document: Document,
  { html, pdf }: { html?: string | undefined; pdf?: string | undefined },
  say: (words: string) => void,
): Promise<boolean> {
  if (html !== undefined) {
    await writeWhole(html, documentHtml(document));
    say(`Written to ${html}.`);
  }
  if (pdf !== undefined) {
    const { bytes, missing } = await documentPdf(document);
    await writeWhole(pdf, bytes);
    say(`Written to ${pdf}.`);
    if (missing.length > 0) say(`Shown as \ufffd, because no font here has it: ${missing.join(" ")}`);
  }
  return html !== undefined || pdf !== undefined;
}
