import { Flags } from "@oclif/core";
import type { Invoice } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService, PreviewInvoiceResponseSchema } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceText } from "../../output/invoice.ts";

export default class InvoicesPreview extends ClientCommand {
  static override summary = "Show what the open period comes to so far.";
  static override description =
    "The invoice in arrears that would be made if the period ended now, with how each line came about. Nothing is stored. Usage counts once it is folded, mostly within a second.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --customer user_123",
    "<%= config.bin %> <%= command.id %> --subscription sub_01K0J1ZD8Q5x2nS7mXvTf3 --json",
  ];
  static override flags = {
    customer: Flags.string({
      description: "Of this customer, if it has one subscription.",
      exactlyOne: ["customer", "subscription"],
    }),
    subscription: Flags.string({ description: "Of this subscription (sub_...)." }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(InvoicesPreview);
    const service = await this.client(InvoiceService, flags);
    const subject = flags.customer
      ? ({ case: "customerId", value: flags.customer } as const)
      : ({ case: "subscriptionId", value: flags.subscription as string } as const);
    const preview = await service.previewInvoice({ subject });
    this.answerOne(PreviewInvoiceResponseSchema, preview, () => invoiceText(preview.invoice as Invoice));
    this.say(`As of now, with usage through fold ${preview.usageFold}.`);
  }
}
