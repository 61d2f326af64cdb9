import { Args } from "@oclif/core";
import { type Customer, CustomerSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { customerText } from "../../output/customer.ts";

export default class CustomersShow extends ClientCommand {
  static override summary = "Show one customer.";
  static override description = "What is known of a customer. Its invoices: invoices list --customer ID.";
  static override examples = ["<%= config.bin %> <%= command.id %> user_123"];
  static override args = { customer: Args.string({ required: true, description: "Your own id for it." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CustomersShow);
    const service = await this.client(TenantService, flags);
    const customer = (await service.getCustomer({ id: args.customer })).customer as Customer;
    this.answerOne(CustomerSchema, customer, () => customerText(customer));
  }
}
