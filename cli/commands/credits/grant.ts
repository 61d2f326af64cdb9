import { Args, Flags } from "@oclif/core";
import { type CreditGrant, CreditGrantSchema, CreditSource } from "../../../gen/usageflow/v1/credit_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { creditText } from "../../output/credit.ts";
import { timeFlag } from "../../time.ts";

export default class CreditsGrant extends ClientCommand {
  static override summary = "Grant a customer credit, which pays for the next invoices.";
  static override description =
    "It is drawn when invoices of its currency are finalized: lower priorities first, then what expires first, then the oldest.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> user_123 --amount 25.00 --currency USD --note "for the outage"',
    "<%= config.bin %> <%= command.id %> user_123 --amount 500 --currency USD --bought --expires 2016-05-01",
  ];
  static override args = { customer: Args.string({ required: true, description: "Your own id for it." }) };
  static override flags = {
    amount: Flags.string({ description: "How much, such as 25.00.", required: true }),
    currency: Flags.string({ description: "ISO 4217 code, such as USD.", required: true }),
    bought: Flags.boolean({ description: "The customer paid for it." }),
    priority: Flags.integer({ description: "1 to 100: lower ones are drawn first.", default: 50, min: 1, max: 100 }),
    expires: timeFlag({ description: "When what is left of it goes. Default: never." }),
    note: Flags.string({ description: "What it is. It stands on invoices." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CreditsGrant);
    const service = await this.client(InvoiceService, flags);
    const answer = await service.createCreditGrant({
      customerId: args.customer,
      amount: flags.amount,
      currency: flags.currency,
      source: flags.bought ? CreditSource.BOUGHT : CreditSource.GRANTED,
      priority: flags.priority,
      note: flags.note ?? "",
      ...(flags.expires ? { expiresAt: flags.expires } : {}),
    });
    const grant = answer.creditGrant as CreditGrant;
    this.answerOne(CreditGrantSchema, grant, () => creditText(grant));
  }
}
