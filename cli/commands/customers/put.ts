import { Args, Flags } from "@oclif/core";
import { type Customer, CustomerSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { customerText } from "../../output/customer.ts";

/** A tax as `NAME=PERCENT`. */
const taxFlag = Flags.custom<{ name: string; percent: string }>({
  helpValue: "NAME=PERCENT",
  parse: async (text) => {
    const [, name, percent] = /^(.+)=([^=]*)$/.exec(text) ?? [];
    if (!name || percent === undefined) throw new CliError("usage", `"${text}" is no tax: write it like VAT=19`);
    return { name, percent };
  },
});

export default class CustomersPut extends ClientCommand {
  static override summary = "Create a customer, or replace what is known of it.";
  static override description =
    "Customers that send usage exist without this. What is known and no flag names, goes. Taxes, the buyer, the purchase order and the payment terms stand on invoices that are finalized from now on.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> user_123 --name "Ada Lovelace"',
    '<%= config.bin %> <%= command.id %> user_123 --name Ada --buyer-name "Engines Ltd" --address "12 St James Sq" --address London --tax-id GB123456789 --payment-terms 14',
    "<%= config.bin %> <%= command.id %> user_123 --tax VAT=19",
  ];
  static override args = { customer: Args.string({ required: true, description: "Your own id for it." }) };
  static override flags = {
    name: Flags.string({ description: "A name for people." }),
    tax: taxFlag({ description: "A tax that invoices add, such as VAT=19. May be given again.", multiple: true }),
    "tax-included": taxFlag({ description: "The same, in the amounts already: it is only shown.", multiple: true }),
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
    const included = flags["tax-included"] ?? [];
    const taxRates = [...(flags.tax ?? []), ...included.map((rate) => ({ ...rate, inclusive: true }))];
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
    const put = await service.putCustomer({
      customer: { id: args.customer, name: flags.name ?? "", taxRates, billing },
    });
    const customer = put.customer as Customer;
    this.answerOne(CustomerSchema, customer, () => customerText(customer));
  }
}
