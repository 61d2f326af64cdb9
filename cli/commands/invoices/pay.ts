import { Args, Flags } from "@oclif/core";
import { type Invoice, InvoiceSchema } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceFacts } from "../../output/invoice.ts";
import { timeFlag } from "../../time.ts";

export default class InvoicesPay extends ClientCommand {
  static override summary = "Note that an invoice was paid.";
  static override description =
    "For an invoice that is final, also one that was given up. Nothing is charged. Doing it again changes nothing: the first time and reference stand.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> INV-000001 --reference pi_3OzX",
    "<%= config.bin %> <%= command.id %> INV-000001 --paid-at 2015-06-08 --json",
  ];
  static override args = {
    invoice: Args.string({ required: true, description: "Its number, or its id (inv_...)." }),
  };
  static override flags = {
    "paid-at": timeFlag({ description: "When it was paid. Default: now, by the tenant's clock." }),
    reference: Flags.string({ description: "What names the payment elsewhere." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(InvoicesPay);
    const service = await this.client(InvoiceService, flags);
    const answer = await service.markInvoicePaid({
      id: args.invoice,
      ...(flags["paid-at"] ? { paidAt: flags["paid-at"] } : {}),
      reference: flags.reference ?? "",
    });
    const invoice = answer.invoice as Invoice;
    this.answerOne(InvoiceSchema, invoice, () => invoiceFacts(invoice));
  }
}
