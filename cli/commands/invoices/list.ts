import { Flags } from "@oclif/core";
import { InvoiceSchema, InvoiceState } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { invoiceColumns } from "../../output/invoice.ts";
import { listFlags, readPages } from "../../pages.ts";
import { timeFlag } from "../../time.ts";

const STATES = {
  draft: InvoiceState.DRAFT,
  finalized: InvoiceState.FINALIZED,
  paid: InvoiceState.PAID,
  void: InvoiceState.VOID,
  uncollectible: InvoiceState.UNCOLLECTIBLE,
};
const stateNames = Object.keys(STATES) as (keyof typeof STATES)[];

export default class InvoicesList extends ClientCommand {
  static override summary = "List invoices, oldest first or newest first.";
  static override description =
    "Invoices are made by themselves when a period ends: first a draft, then final after the grace period.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --customer user_123 --state finalized",
    "<%= config.bin %> <%= command.id %> --period-from 2015-05-01 --period-before 2015-06-01",
    "<%= config.bin %> <%= command.id %> --all --json",
  ];
  static override flags = {
    customer: Flags.string({ description: "Only this customer's." }),
    state: Flags.option({ options: stateNames, description: "Only in this state." })(),
    "period-from": timeFlag({ description: "Only those whose period begins then or later, such as 2015-05-01." }),
    "period-before": timeFlag({ description: "Only those whose period begins before." }),
    "newest-first": Flags.boolean({ description: "Newest first." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(InvoicesList);
    const service = await this.client(InvoiceService, flags);
    const filters = {
      customerId: flags.customer ?? "",
      state: flags.state ? STATES[flags.state] : InvoiceState.UNSPECIFIED,
      newestFirst: flags["newest-first"],
      ...(flags["period-from"] ? { periodStartFrom: flags["period-from"] } : {}),
      ...(flags["period-before"] ? { periodStartBefore: flags["period-before"] } : {}),
    };
    const found = await readPages(
      flags,
      (page) => service.listInvoices({ ...filters, ...page }),
      (answer) => answer.invoices,
    );
    this.answerList("invoices", InvoiceSchema, found, invoiceColumns);
  }
}
