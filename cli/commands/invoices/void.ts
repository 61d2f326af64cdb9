import { Args, Flags } from "@oclif/core";
import { type Invoice, InvoiceSchema } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceFacts } from "../../output/invoice.ts";

export default class InvoicesVoid extends ClientCommand {
  static override summary = "Void an invoice: nothing is owed for it.";
  static override description =
    "For an invoice that is final and not paid. It keeps its number and its lines. Its period is not billed anew; what it billed for earlier periods is, by the next invoice. Doing it again changes nothing: the first reason stands.";
  static override examples = ['<%= config.bin %> <%= command.id %> INV-000001 --reason "wrong customer"'];
  static override args = {
    invoice: Args.string({ required: true, description: "Its number, or its id (inv_...)." }),
  };
  static override flags = { reason: Flags.string({ description: "Why.", required: true }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(InvoicesVoid);
    const service = await this.client(InvoiceService, flags);
    const answer = await service.voidInvoice({ id: args.invoice, reason: flags.reason });
    const invoice = answer.invoice as Invoice;
    this.answerOne(InvoiceSchema, invoice, () => invoiceFacts(invoice));
  }
}
