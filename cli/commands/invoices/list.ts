import { Flags } from "@oclif/core";
import { InvoiceSchema, InvoiceState } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceColumns } from "../../output/invoice.ts";
import { listFlags, readPages } from "../../pages.ts";

const STATES = { draft: InvoiceState.DRAFT, finalized: InvoiceState.FINALIZED };

export default class InvoicesList extends ClientCommand {
  static override summary = "List invoices, oldest first.";
  static override description =
    "Invoices are made by themselves when a period ends: first a draft, then final after the grace period.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --customer user_123 --state finalized",
    "<%= config.bin %> <%= command.id %> --all --json",
  ];
  static override flags = {
    customer: Flags.string({ description: "Only this customer's." }),
    state: Flags.option({ options: ["draft", "finalized"] as const, description: "Only in this state." })(),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(InvoicesList);
    const service = await this.client(InvoiceService, flags);
    const state = flags.state ? STATES[flags.state] : InvoiceState.UNSPECIFIED;
    const found = await readPages(
      flags,
      (page) => service.listInvoices({ customerId: flags.customer ?? "", state, ...page }),
      (answer) => answer.invoices,
    );
    this.answerList("invoices", InvoiceSchema, found, invoiceColumns);
  }
}
