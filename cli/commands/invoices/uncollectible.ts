import { Args, Flags } from "@oclif/core";
import { type Invoice, InvoiceSchema } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceFacts } from "../../output/invoice.ts";

export default class InvoicesUncollectible extends ClientCommand {
  static override summary = "Note that an invoice is not expected to be paid.";
  static override description =
    "For an invoice that is final. It may still be paid, or voided. Doing it again changes nothing: the first reason stands.";
  static override examples = ["<%= config.bin %> <%= command.id %> INV-000001 --reason bankrupt"];
  static override args = {
    invoice: Args.string({ required: true, description: "Its number, or its id (inv_...)." }),
  };
  static override flags = { reason: Flags.string({ description: "Why." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(InvoicesUncollectible);
    const service = await this.client(InvoiceService, flags);
    const answer = await service.markInvoiceUncollectible({ id: args.invoice, reason: flags.reason ?? "" });
    const invoice = answer.invoice as Invoice;
    this.answerOne(InvoiceSchema, invoice, () => invoiceFacts(invoice));
  }
}
