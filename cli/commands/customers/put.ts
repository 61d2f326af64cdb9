import { Args, Flags } from "@oclif/core";
import { type Customer, CustomerSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { readMessageFile } from "../../catalog/message-file.ts";
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
    "Customers that send usage exist without this. What is known and neither a flag nor the file names, goes. Taxes, the buyer, the purchase order and the payment terms stand on invoices that are finalized from now on.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> user_123 --name "Ada Lovelace"',
    '<%= config.bin %> <%= command.id %> user_123 --name Ada --buyer-name "Engines Ltd" --address "12 St James Sq" --address London --tax-id GB123456789 --payment-terms 14',
    "<%= config.bin %> <%= command.id %> user_123 --tax VAT=19",
    "<%= config.bin %> <%= command.id %> user_123 --file customer.yaml",
  ];
  static override args = { customer: Args.string({ required: true, description: "Your own id for it." }) };
  static override flags = {
    file: Flags.string({
      description:
        "What is known of it, as `customers show --json` writes it: YAML or JSON, or - for stdin. A flag goes before it.",
      helpValue: "FILE",
    }),
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
    const { message, placed } = await readMessageFile(CustomerSchema, flags.file);
    const put = await service.putCustomer({ customer: withFlags(message, args.customer, flags) }).catch((error) => {
      throw placed(error, "customer");
    });
    const customer = put.customer as Customer;
    this.answerOne(CustomerSchema, customer, () => customerText(customer));
  }
}

interface CustomerFlags {
  name?: string | undefined;
  tax?: { name: string; percent: string }[] | undefined;
  "tax-included"?: { name: string; percent: string }[] | undefined;
  "buyer-name"?: string | undefined;
  address?: string[] | undefined;
  "tax-id"?: string | undefined;
  email?: string | undefined;
  "purchase-order"?: string | undefined;
  "payment-terms"?: number | undefined;
}

/** What the file says, where no flag says otherwise. */
function withFlags(file: Customer, id: string, flags: CustomerFlags) {
  const { billing } = file;
  const included = flags["tax-included"]?.map((rate) => ({ ...rate, inclusive: true }));
  const taxRates = flags.tax || included ? [...(flags.tax ?? []), ...(included ?? [])] : file.taxRates;
  const terms = flags["payment-terms"] ?? billing?.paymentTermsDays;
  return {
    id,
    name: flags.name ?? file.name,
    taxRates,
    billing: {
      buyer: {
        name: flags["buyer-name"] ?? billing?.buyer?.name ?? "",
        address: flags.address ?? billing?.buyer?.address ?? [],
        taxId: flags["tax-id"] ?? billing?.buyer?.taxId ?? "",
        email: flags.email ?? billing?.buyer?.email ?? "",
      },
      purchaseOrder: flags["purchase-order"] ?? billing?.purchaseOrder ?? "",
      ...(terms === undefined ? {} : { paymentTermsDays: terms }),
    },
  };
}
