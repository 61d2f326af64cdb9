import { Args } from "@oclif/core";
import { type Invoice, InvoiceSchema } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceDocument } from "../../document/invoice-document.ts";
import { documentFlags, writeDocument } from "../../document/write-document.ts";
import { invoiceText } from "../../output/invoice.ts";

export default class InvoicesShow extends ClientCommand {
  static override summary = "Show one invoice, how each line came about, and what happened to it.";
  static override description =
    "Each line shows what was priced, tier by tier, exactly, before it was rounded once. As PDF and HTML it is a document to send: the same invoice makes the same file.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> INV-000001",
    "<%= config.bin %> <%= command.id %> INV-000001 --pdf invoice.pdf",
    "<%= config.bin %> <%= command.id %> INV-000001 --html invoice.html",
    "<%= config.bin %> <%= command.id %> INV-000001 --json",
  ];
  static override args = {
    invoice: Args.string({ required: true, description: "Its number, or its id (inv_...)." }),
  };
  static override flags = documentFlags;

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(InvoicesShow);
    const service = await this.client(InvoiceService, flags);
    const invoice = (await service.getInvoice({ id: args.invoice })).invoice as Invoice;
    const written = await writeDocument(invoiceDocument(invoice), flags, (words) => this.say(words));
    this.answerOne(InvoiceSchema, invoice, () => (written ? "" : invoiceText(invoice)));
  }
}
