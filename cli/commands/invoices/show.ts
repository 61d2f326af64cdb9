import { writeFile } from "node:fs/promises";
import { Args, Flags } from "@oclif/core";
import { type Invoice, InvoiceSchema } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceText } from "../../output/invoice.ts";
import { invoiceHtml } from "../../output/invoice-html.ts";

export default class InvoicesShow extends ClientCommand {
  static override summary = "Show one invoice, how each line came about, and what happened to it.";
  static override description = "Each line shows what was priced, tier by tier, exactly, before it was rounded once.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> INV-000001",
    "<%= config.bin %> <%= command.id %> INV-000001 --html invoice.html",
    "<%= config.bin %> <%= command.id %> INV-000001 --json",
  ];
  static override args = {
    invoice: Args.string({ required: true, description: "Its number, or its id (inv_...)." }),
  };

  static override flags = {
    html: Flags.string({
      description: "Write it to this file instead, as a document to print or send.",
      helpValue: "FILE",
    }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(InvoicesShow);
    const service = await this.client(InvoiceService, flags);
    const invoice = (await service.getInvoice({ id: args.invoice })).invoice as Invoice;
    const file = flags.html;
    if (file !== undefined) {
      await writeFile(file, invoiceHtml(invoice)).catch((cause) => {
        throw new CliError("failed", `${file}: ${cause.message}`, {}, cause);
      });
      this.say(`Written to ${file}.`);
    }
    this.answerOne(InvoiceSchema, invoice, () => (file === undefined ? invoiceText(invoice) : ""));
  }
}
