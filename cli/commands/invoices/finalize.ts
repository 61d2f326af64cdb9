import { Args } from "@oclif/core";
import { type Invoice, InvoiceSchema } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceFacts } from "../../output/invoice.ts";

export default class InvoicesFinalize extends ClientCommand {
  static override summary = "Finalize a draft now, before its grace period is over.";
  static override description =
    "It gets its number and is never changed again. Usage of its period that arrives later is not on it. Finalizing it again changes nothing.";
  static override examples = ["<%= config.bin %> <%= command.id %> inv_2RWPc3yyYZ9nQwJ1PSy8Kd"];
  static override args = { invoice: Args.string({ required: true, description: "Its id (inv_...)." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(InvoicesFinalize);
    const service = await this.client(InvoiceService, flags);
    const invoice = (await service.finalizeInvoice({ id: args.invoice })).invoice as Invoice;
    this.answerOne(InvoiceSchema, invoice, () => invoiceFacts(invoice));
  }
}
