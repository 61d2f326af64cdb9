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
    "Customers that send usage exist without this. What is known and not given again goes: the name, and taxes.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> user_123 --name "Ada Lovelace"',
    "<%= config.bin %> <%= command.id %> user_123 --tax VAT=19",
  ];
  static override args = { customer: Args.string({ required: true, description: "Your own id for it." }) };
  static override flags = {
    name: Flags.string({ description: "A name for people." }),
    tax: taxFlag({ description: "A tax that invoices add, such as VAT=19. May be given again.", multiple: true }),
    "tax-included": taxFlag({ description: "The same, in the amounts already: it is only shown.", multiple: true }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CustomersPut);
    const service = await this.client(TenantService, flags);
    const included = flags["tax-included"] ?? [];
    const taxRates = [...(flags.tax ?? []), ...included.map((rate) => ({ ...rate, inclusive: true }))];
    const put = await service.putCustomer({ customer: { id: args.customer, name: flags.name ?? "", taxRates } });
    const customer = put.customer as Customer;
    this.answerOne(CustomerSchema, customer, () => customerText(customer));
  }
}
