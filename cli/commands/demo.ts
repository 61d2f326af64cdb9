import { type Invoice, InvoiceSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { BaseCommand } from "../base-command.ts";
import { type DemoResult, type DemoStep, runDemo } from "../demo/run-demo.ts";
import { invoiceText } from "../output/invoice.ts";
import { bare } from "../output/json.ts";
import { type Column, table } from "../output/table.ts";
import { money } from "../output/text.ts";
import { stopSignal } from "../stop-signal.ts";

const columns: Column<Invoice>[] = [
  { title: "INVOICE", value: (invoice) => invoice.number },
  { title: "CUSTOMER", value: (invoice) => invoice.customerId },
  amountColumn("FEE", "base"),
  amountColumn("CALLS", "calls"),
  amountColumn("EGRESS", "egress"),
  { title: "TOTAL", value: (invoice) => money(invoice.totalMinor, invoice.currency), right: true },
];

function amountColumn(title: string, priceKey: string): Column<Invoice> {
  const amountOf = ({ lines }: Invoice) => lines.find((line) => line.priceKey === priceKey)?.amountMinor ?? 0n;
  return { title, value: (invoice) => money(amountOf(invoice), invoice.currency), right: true };
}

export default class Demo extends BaseCommand {
  static override summary = "See a month of usage become invoices and signed webhooks, in some seconds.";
  static override description =
    "Starts an emulator, sends a made-up month of usage, advances the clock past the month's end, and checks the webhooks that a receiver on this machine gets. Leaves nothing behind.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];

  override async run(): Promise<void> {
    await this.parse(Demo);
    const steps: DemoStep[] = [];
    const result = await runDemo({
      stop: stopSignal(),
      onStep: (step) => {
        steps.push(step);
        if (!this.jsonEnabled()) this.print(stepText(step));
      },
      onTrouble: (words) => this.say(words),
    });
    this.answer(
      () => ({ ...result, steps, invoices: result.invoices.map((invoice) => bare(InvoiceSchema, invoice)) }),
      () => resultText(result),
    );
  }
}

function stepText({ name, text, ms }: DemoStep): string {
  return `${`${(ms / 1000).toFixed(1)} s`.padStart(6)}  ${name.padEnd(8)}  ${text}`;
}

/** All invoices in one line each, and the largest in full. */
function resultText({ invoices }: DemoResult): string {
  const largest = invoices.toSorted((a, b) => Number(b.totalMinor - a.totalMinor)).slice(0, 2);
  return ["", table(columns, invoices), ...largest.flatMap((invoice) => ["", invoiceText(invoice)])].join("\n");
}
