import {
  type Invoice,
  InvoiceKindSchema,
  type InvoiceLine,
  InvoiceStateSchema,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { money, printable, time, word } from "./text.ts";

// Prints on A4 and Letter: black on white, a line with its steps is never torn apart, the head repeats on each page.
const STYLE = `
  @page { margin: 20mm 18mm; }
  body { font: 11pt/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; margin: 0 0 1rem; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: 0 0 2rem; }
  dt { color: #555; }
  dd { margin: 0; overflow-wrap: anywhere; }
  table { width: 100%; border-collapse: collapse; }
  th { text-align: left; color: #555; font-weight: normal; border-bottom: 1px solid #111; }
  th, td { padding: .35rem .5rem; vertical-align: top; overflow-wrap: anywhere; }
  tbody { break-inside: avoid; border-bottom: 1px solid #ddd; }
  .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
  .step td { color: #555; font-size: .85em; padding-top: 0; }
  .step td:first-child { padding-left: 1.5rem; }
  tfoot { display: table-row-group; font-weight: bold; }
  @media print { body { margin: 0; max-width: none; padding: 0; } }
`;

/** An invoice as one HTML document that needs nothing else: no script, no font, no picture, no network. */
export function invoiceHtml(invoice: Invoice): string {
  const title = invoice.number ? `Invoice ${invoice.number}` : `Draft ${invoice.id}`;
  const total = money(invoice.totalMinor, invoice.currency);
  const last = invoice.changes.at(-1);
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
<h1>${escaped(title)}</h1>
<dl>
${pairs({
  Customer: invoice.customerId,
  State: word(InvoiceStateSchema, invoice.state),
  Period: `${time(invoice.periodStart)} to ${time(invoice.periodEnd)} UTC, ${word(InvoiceKindSchema, invoice.kind)}`,
  Plan: `${invoice.plan}, version ${invoice.planVersion}`,
  Finalized: invoice.finalizedAt ? `${time(invoice.finalizedAt)} UTC` : "",
  Paid: last?.paidAt ? `${time(last.paidAt)} UTC` : "",
  Total: total,
})}
</dl>
<table>
<thead><tr><th scope="col">Line</th><th scope="col" class="number">Quantity</th><th scope="col" class="number">Amount</th></tr></thead>
${invoice.lines.map((line) => lineRows(line, invoice.currency)).join("\n")}
<tfoot><tr><td>Total</td><td></td><td class="number">${escaped(total)}</td></tr></tfoot>
</table>
</body>
</html>
`;
}

function pairs(facts: Record<string, string>): string {
  return Object.entries(facts)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`)
    .join("\n");
}

/** A line, and below it the parts that it is made of, exactly as they were before the line was rounded. */
function lineRows(line: InvoiceLine, currency: string): string {
  const whole = row(line.description, line.quantity, money(line.amountMinor, currency));
  const parts = line.steps.length < 2 ? [] : line.steps.map(stepRow);
  return `<tbody>\n${[whole, ...parts].join("\n")}\n</tbody>`;
}

function stepRow({ description, quantity, unitAmount, amount }: InvoiceLine["steps"][number]): string {
  return row(`${description}: ${quantity} × ${unitAmount}`, "", amount, "step");
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
