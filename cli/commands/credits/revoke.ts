import { Args, Flags } from "@oclif/core";
import { type CreditGrant, CreditGrantSchema } from "../../../gen/usageflow/v1/credit_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { creditText } from "../../output/credit.ts";

export default class CreditsRevoke extends ClientCommand {
  static override summary = "Take back what is left of a credit.";
  static override description = "What was drawn stays drawn. Doing it again changes nothing: the first reason stands.";
  static override examples = ['<%= config.bin %> <%= command.id %> crg_01K0J1ZD8Q5x2nS7mXvTf3 --reason "a mistake"'];
  static override args = {
    credit: Args.string({ required: true, description: "Its id (crg_...), from credits list." }),
  };
  static override flags = { reason: Flags.string({ description: "Why." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CreditsRevoke);
    const service = await this.client(InvoiceService, flags);
    const answer = await service.revokeCreditGrant({ id: args.credit, reason: flags.reason ?? "" });
    const grant = answer.creditGrant as CreditGrant;
    this.answerOne(CreditGrantSchema, grant, () => creditText(grant));
  }
}
