import { Args } from "@oclif/core";
import { type Customer, CustomerSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { confirm, yesFlag } from "../../ask.ts";
import { ClientCommand } from "../../client-command.ts";
import { customerText } from "../../output/customer.ts";
import { printable } from "../../output/text.ts";

export default class CustomersErase extends ClientCommand {
  static override summary = "Erase a customer's personal data, and keep its invoices.";
  static override description =
    `Its name and billing details go at once. Copies of them go in the background, from stored events, receivers' answers, properties of its usage that no metric measures, and the audit log: customers show tells when that is done.

Invoices and credit notes stay as they were issued, and so do its id and its usage. While it has a subscription that goes on, or a draft, it is refused.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> user_123",
    "<%= config.bin %> <%= command.id %> user_123 --yes --json",
  ];
  static override args = { customer: Args.string({ required: true, description: "Your own id for it." }) };
  static override flags = { yes: yesFlag };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CustomersErase);
    const service = await this.client(TenantService, flags);
    await confirm(`Erase the personal data of ${printable(args.customer)} for good?`, flags.yes);
    const customer = (await service.eraseCustomer({ id: args.customer })).customer as Customer;
    this.answerOne(CustomerSchema, customer, () => customerText(customer));
  }
}
