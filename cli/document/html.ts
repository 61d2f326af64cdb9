import { printable } from "../output/text.ts";
import {
  columnTitles,
  type Document,
  type DocumentLine,
  type DocumentPart,
  type DocumentParty,
  type DocumentSum,
} from "./document.ts";

// Prints on A4 and Letter: black on white, a line with its parts is never torn apart, the head repeats on each page.
const STYLE = `
  @page { margin: 20mm 18mm; }
  body { font: 11pt/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
  header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; }
  h1 { font-size: 1.6rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
  .stamp { font-size: 1.6rem; font-weight: bold; color: #b00; border: .15rem solid; padding: 0 .6rem; }
  .parties { display: grid; grid-template-columns: 1fr 1fr; gap: 1.5rem; margin: 0 0 2rem; }
  .parties h2 { font-size: 1em; font-weight: normal; color: #555; margin: 0; }
  .parties p { margin: 0; overflow-wrap: anywhere; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: 0 0 2rem; }
  dt { color: #555; }
  dd { margin: 0; overflow-wrap: anywhere; }
  table { width: 100%; border-collapse: collapse; }
  th { text-align: left; color: #555; font-weight: normal; border-bottom: 1px solid #111; }
  th, td { padding: .35rem .5rem; vertical-align: top; overflow-wrap: anywhere; }
  tbody { break-inside: avoid; border-bottom: 1px solid #ddd; }
  .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
  .part td { color: #555; font-size: .85em; padding-top: 0; }
  .part td:first-child { padding-left: 1.5rem; }
  tfoot { display: table-row-group; break-inside: avoid; }
  .strong { font-weight: bold; }
  footer { margin-top: 2rem; overflow-wrap: anywhere; }
  @media print { body { margin: 0; max-width: none; padding: 0; } }
`;

/** A document as one HTML file that needs nothing else: no script, no font, no picture, no network. */
export function documentHtml(document: Document): string {
  const { title, stamp, parties, facts, lines, sums, notes } = document;
  const { text, quantity, amount } = columnTitles(document);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escaped(title)}</h1>${stamp && `<div class="stamp">${escaped(stamp)}</div>`}</header>
<section class="parties">
${parties.map(partyHtml).join("\n")}
</section>
<dl>
${factsHtml(facts)}
</dl>
<table>
<thead><tr><th scope="col">${text}</th><th scope="col" class="number">${quantity}</th><th scope="col" class="number">${amount}</th></tr></thead>
${lines.map(lineHtml).join("\n")}
<tfoot>
${sums.map(sumHtml).join("\n")}
</tfoot>
</table>
<footer>
${notes.map((note) => `<p>${escaped(note)}</p>`).join("\n")}
</footer>
</body>
</html>
`;
}

function partyHtml({ role, lines }: DocumentParty): string {
  return `<div><h2>${role}</h2>${lines.map((line) => `<p>${escaped(line)}</p>`).join("")}</div>`;
}

function factsHtml(facts: Record<string, string>): string {
  return Object.entries(facts)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`)
    .join("\n");
}

function lineHtml({ text, quantity, amount, parts }: DocumentLine): string {
  return `<tbody>\n${[row(text, quantity, amount), ...parts.map(partHtml)].join("\n")}\n</tbody>`;
}

function sumHtml({ text, amount, strong, parts = [] }: DocumentSum): string {
  return [row(text, "", amount, strong ? "strong" : ""), ...parts.map(partHtml)].join("\n");
}

function partHtml({ text, amount }: DocumentPart): string {
  return row(text, "", amount, "part");
}

function row(text: string, quantity: string, amount: string, kind = ""): string {
  const cells = `<td>${escaped(text)}</td><td class="number">${escaped(quantity)}</td><td class="number">${escaped(amount)}</td>`;
  return `<tr${kind && ` class="${kind}"`}>${cells}</tr>`;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text that stays text, whatever it holds. */
function escaped(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
