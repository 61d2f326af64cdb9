import { Flags } from "@oclif/core";
import { CreditGrantSchema } from "../../../gen/usageflow/v1/credit_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { creditColumns } from "../../output/credit.ts";
import { listFlags, readPages } from "../../pages.ts";

export default class CreditsList extends ClientCommand {
  static override summary = "List credits, oldest first, with what is left of each.";
  static override description = "Those that are used up, expired or revoked too. How that came about: credits ledger.";
  static override examples = ["<%= config.bin %> <%= command.id %> --customer user_123"];
  static override flags = {
    customer: Flags.string({ description: "Only this customer's." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(CreditsList);
    const service = await this.client(InvoiceService, flags);
    const found = await readPages(
      flags,
      (page) => service.listCreditGrants({ customerId: flags.customer ?? "", ...page }),
      (answer) => answer.creditGrants,
    );
    this.answerList("creditGrants", CreditGrantSchema, found, creditColumns);
  }
}
