import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { invoiceDocument } from "../../cli/document/invoice-document.ts";
import { documentPdf } from "../../cli/document/pdf.ts";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { sampleInvoice } from "./sample-invoice.ts";

const pdfOf = (invoice: Invoice) => documentPdf(invoiceDocument(invoice));

/** The streams of a PDF, unpacked, as text. */
function streamsOf(bytes: Buffer): string[] {
  const streams: string[] = [];
  for (let at = bytes.indexOf("stream\n"); at >= 0; at = bytes.indexOf("stream\n", at + 1)) {
    const end = bytes.indexOf("endstream", at);
    try {
      streams.push(inflateSync(bytes.subarray(at + "stream\n".length, end)).toString("latin1"));
    } catch {
      // "endstream\n" ends in the same letters, and what follows it is no stream.
    }
  }
  return streams;
}

/** The letters that a PDF can be searched for: those its fonts are said to have. */
function lettersOf(bytes: Buffer): Set<string> {
  const maps = streamsOf(bytes).filter((stream) => stream.includes("beginbfrange"));
  const codes = maps.flatMap((map) => [...map.matchAll(/<([0-9a-f]{4}(?: ?[0-9a-f]{4})*)>/gi)].map(([, hex]) => hex));
  return new Set(
    codes.map((hex) =>
      Buffer.from((hex as string).replaceAll(" ", ""), "hex")
        .swap16()
        .toString("utf16le"),
    ),
  );
}

const pagesOf = (bytes: Buffer) => bytes.toString("latin1").match(/\/Type \/Page\b(?!s)/g)?.length;

test("a PDF is dated as its invoice, is the same whenever it is made, and has letters of every script", async () => {
  const { bytes, missing } = await pdfOf(sampleInvoice());
  const text = bytes.toString("latin1");
  expect(text).toMatch(/^%PDF-1\.\d\n/);
  expect(text).toMatch(/%%EOF\n?$/);
  expect(text).toContain("D:20150601010000Z");
  expect(pagesOf(bytes)).toBe(1);
  expect((await pdfOf(sampleInvoice())).bytes.equals(bytes)).toBe(true);
  const letters = lettersOf(bytes);
  for (const letter of "Łódź東京支社Invoice×") expect([letter, letters.has(letter)]).toEqual([letter, true]);
  expect(missing).toEqual([]);
});

test("the large font is not in a PDF that does without it", async () => {
  const western = await pdfOf(sampleInvoice({ buyer: { name: "Łódź" } }));
  expect(western.bytes.toString("latin1")).not.toContain("UnifontEx");
  expect((await pdfOf(sampleInvoice())).bytes.toString("latin1")).toContain("UnifontEx");
});

test("a letter that no font has is told, and the others are there", async () => {
  const { bytes, missing } = await pdfOf(sampleInvoice({ memo: "A 𠮷 B 𠮷" }));
  expect(missing).toEqual(["𠮷"]);
  expect(lettersOf(bytes).has("\ufffd")).toBe(true);
});

test("many lines go over pages, and lines with more parts than a page has room for, too", async () => {
  const line = (at: number) => ({
    ...{ description: `Price ${at}: ${at} units`, quantity: String(at), amountMinor: BigInt(at) },
    steps: at % 5 === 0 ? [{ description: "a", quantity: "2" }, { description: "b" }] : [],
  });
  const lines = Array.from({ length: 200 }, (_, at) => line(at));
  const many = await pdfOf(sampleInvoice({ lines, currency: "KWD" }));
  expect(pagesOf(many.bytes)).toBe(9);
  const steps = Array.from({ length: 150 }, () => ({ description: "step", quantity: "2", amount: "1" }));
  const tall = await pdfOf(sampleInvoice({ lines: [{ description: "tall", steps }] }));
  expect(pagesOf(tall.bytes)).toBe(3);
});

test("names of any length are broken, and none at all is no hindrance", async () => {
  const name = "Wspólnicy".repeat(28);
  const address = Array(8).fill("x".repeat(255));
  const long = await pdfOf(
    sampleInvoice({ seller: { name, address }, buyer: { name, address }, customerId: name, purchaseOrder: name }),
  );
  expect(pagesOf(long.bytes)).toBe(2);
  const bare = await pdfOf(sampleInvoice({ seller: {}, buyer: {}, lines: [], memo: "" }));
  expect(pagesOf(bare.bytes)).toBe(1);
});
