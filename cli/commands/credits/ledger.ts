import { Flags } from "@oclif/core";
import { CreditEntrySchema } from "../../../gen/usageflow/v1/credit_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { creditEntryColumns } from "../../output/credit.ts";
import { listFlags, readPages } from "../../pages.ts";

export default class CreditsLedger extends ClientCommand {
  static override summary = "Show every movement of credit, oldest first.";
  static override description = "Entries are never changed. Those of a credit add up to what is left of it.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --customer user_123",
    "<%= config.bin %> <%= command.id %> --credit crg_01K0J1ZD8Q5x2nS7mXvTf3 --json",
  ];
  static override flags = {
    customer: Flags.string({ description: "Only this customer's." }),
    credit: Flags.string({ description: "Only this credit's (crg_...)." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(CreditsLedger);
    const service = await this.client(InvoiceService, flags);
    const found = await readPages(
      flags,
      (page) => service.listCreditEntries({ customerId: flags.customer ?? "", grantId: flags.credit ?? "", ...page }),
      (answer) => answer.creditEntries,
    );
    this.answerList("creditEntries", CreditEntrySchema, found, creditEntryColumns);
  }
}
