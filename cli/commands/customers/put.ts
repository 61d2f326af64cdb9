import { Args, Flags } from "@oclif/core";
import { type Customer, CustomerSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { customerText } from "../../output/customer.ts";

export default class CustomersPut extends ClientCommand {
  static override summary = "Create a customer, or replace what is known of it.";
  static override description =
    "Customers that send usage exist without this. What is known and no flag names, goes. The buyer, the purchase order and the payment terms stand on invoices that are finalized from now on.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> user_123 --name "Ada Lovelace"',
    '<%= config.bin %> <%= command.id %> user_123 --name Ada --buyer-name "Engines Ltd" --address "12 St James Sq" --address London --tax-id GB123456789 --payment-terms 14',
  ];
  static override args = { customer: Args.string({ required: true, description: "Your own id for it." }) };
  static override flags = {
    name: Flags.string({ description: "A name for people." }),
    "buyer-name": Flags.string({ description: "Who buys, as invoices name it. Default: --name." }),
    address: Flags.string({ description: "A line of the buyer's address. May be given again.", multiple: true }),
    "tax-id": Flags.string({ description: "The buyer's tax id." }),
    email: Flags.string({ description: "Where to write to the buyer." }),
    "purchase-order": Flags.string({ description: "The buyer's purchase order." }),
    "payment-terms": Flags.integer({
      description: "Days until an invoice is due. Default: the tenant's.",
      helpValue: "DAYS",
    }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CustomersPut);
    const service = await this.client(TenantService, flags);
    const terms = flags["payment-terms"];
    const billing = {
      buyer: {
        name: flags["buyer-name"] ?? "",
        address: flags.address ?? [],
        taxId: flags["tax-id"] ?? "",
        email: flags.email ?? "",
      },
      purchaseOrder: flags["purchase-order"] ?? "",
      ...(terms === undefined ? {} : { paymentTermsDays: terms }),
    };
    const put = await service.putCustomer({ customer: { id: args.customer, name: flags.name ?? "", billing } });
    const customer = put.customer as Customer;
    this.answerOne(CustomerSchema, customer, () => customerText(customer));
  }
}
