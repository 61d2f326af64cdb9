import { Args, Flags } from "@oclif/core";
import { type Customer, CustomerSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { customerText } from "../../output/customer.ts";

export default class CustomersPut extends ClientCommand {
  static override summary = "Create a customer, or replace what is known of it.";
  static override description =
    "Customers that send usage exist without this. Without --name, a name that is known goes.";
  static override examples = ['<%= config.bin %> <%= command.id %> user_123 --name "Ada Lovelace"'];
  static override args = { customer: Args.string({ required: true, description: "Your own id for it." }) };
  static override flags = { name: Flags.string({ description: "A name for people." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CustomersPut);
    const service = await this.client(TenantService, flags);
    const put = await service.putCustomer({ customer: { id: args.customer, name: flags.name ?? "" } });
    const customer = put.customer as Customer;
    this.answerOne(CustomerSchema, customer, () => customerText(customer));
  }
}
