import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Party } from "../../gen/usageflow/v1/tenant_pb.ts";

// What a document says, before it is drawn. `invoice-document.ts` and `credit-note-document.ts` make it; `text.ts`, `html.ts`
// and `pdf.ts` draw it, and decide about looks alone. Its texts are as they came: who draws them makes them harmless.

/** A document to read, print or send. */
export interface Document {
  /** What it is and is called, such as `Invoice INV-000001`. */
  title: string;
  /** A word across it that nobody may overlook, such as `VOID`. Mostly empty. */
  stamp: string;
  /** Who it is from and to. One of whom nothing is known is left out. */
  parties: DocumentParty[];
  /** Names and values. What is empty is left out. */
  facts: Record<string, string>;
  lines: DocumentLine[];
  /** What is added and taken off below the lines, down to what is owed. */
  sums: DocumentSum[];
  /** What stands at its foot. */
  notes: string[];
  /** When it was made: the same document, drawn twice, is the same to the byte. */
  at: Timestamp | undefined;
}

/** One side of it. */
export interface DocumentParty {
  role: "From" | "To";
  /** The name is the first. */
  lines: string[];
}

/** A line, and the parts that it is made of, exactly as they were before it was rounded. */
export interface DocumentLine {
  text: string;
  quantity: string;
  amount: string;
  parts: DocumentPart[];
}

/** A part of a line, or what an amount below the lines comes from. */
export interface DocumentPart {
  text: string;
  amount: string;
}

/** An amount below the lines. */
export interface DocumentSum {
  text: string;
  amount: string;
  /** What people look for. */
  strong?: true;
  parts?: DocumentPart[];
}

/** The titles of the lines' columns. Where nothing is counted, none stands above quantities. */
export function columnTitles({ lines }: Document): { text: string; quantity: string; amount: string } {
  return { text: "Line", quantity: lines.some(({ quantity }) => quantity !== "") ? "Quantity" : "", amount: "Amount" };
}

/** Both sides, as far as they are known. */
export function partiesOf(seller: Party | undefined, buyer: Party | undefined): DocumentParty[] {
  const parties: DocumentParty[] = [
    { role: "From", lines: partyLines(seller) },
    { role: "To", lines: partyLines(buyer) },
  ];
  return parties.filter(({ lines }) => lines.length > 0);
}

function partyLines(party: Party | undefined): string[] {
  if (!party) return [];
  const taxId = party.taxId === "" ? "" : `Tax id ${party.taxId}`;
  return [party.name, ...party.address, taxId, party.email].filter((line) => line !== "");
}
