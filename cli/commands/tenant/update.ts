import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Flags } from "@oclif/core";
import { type Party, type Tenant, TenantSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService, UpdateTenantRequestSchema } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { readMessageFile } from "../../catalog/message-file.ts";
import { ClientCommand } from "../../client-command.ts";
import { tenantText } from "../../output/tenant.ts";
import { spanFlag } from "../../time.ts";

export default class TenantUpdate extends ClientCommand {
  static override summary = "Change settings of the tenant. What no flag names stays as it is.";
  static override description =
    "The seller, the payment terms and the memo stand on invoices that are finalized from now on; those that are final keep theirs. An empty text takes one away.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> --seller-name "Acme GmbH" --seller-address "Hauptstr. 1" --seller-address "10115 Berlin" --seller-tax-id DE123456789',
    '<%= config.bin %> <%= command.id %> --payment-terms 14 --memo "Please name the invoice when you pay."',
    "<%= config.bin %> <%= command.id %> --file settings.yaml",
    "<%= config.bin %> <%= command.id %> --invoice-prefix ACME- --grace-period 2h --json",
  ];
  static override flags = {
    file: Flags.string({
      description:
        "The settings, named as in JSON (timeZone, seller, ...): YAML or JSON, or - for stdin. A flag goes before it.",
      helpValue: "FILE",
    }),
    "seller-name": Flags.string({ description: "Who sells, as invoices name it." }),
    "seller-address": Flags.string({ description: "A line of its address. May be given again.", multiple: true }),
    "seller-tax-id": Flags.string({ description: "Its tax id." }),
    "seller-email": Flags.string({ description: "Where to write to." }),
    "payment-terms": Flags.integer({ description: "Days until an invoice is due.", helpValue: "DAYS" }),
    memo: Flags.string({ description: "A text at the foot of every invoice." }),
    "invoice-prefix": Flags.string({ description: "What invoice numbers begin with." }),
    "time-zone": Flags.string({ description: "What new subscriptions count their periods in, such as Europe/Berlin." }),
    "grace-period": spanFlag({ description: "How long an invoice waits for usage on its way, such as 2h." }),
    "backfill-window": spanFlag({ description: "How old usage may be when it arrives, such as 35d." }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(TenantUpdate);
    const service = await this.client(TenantService, flags);
    const { message: file, placed } = await readMessageFile(UpdateTenantRequestSchema, flags.file);
    const given = sellerOf(flags);
    // The contract takes the seller whole; here what is not named stays.
    const seller = Object.keys(given).length > 0 && {
      ...(file.seller ?? ((await service.getTenant({})).tenant?.seller as Party)),
      ...given,
    };
    const { "payment-terms": paymentTermsDays, memo, "grace-period": grace, "backfill-window": backfill } = flags;
    const request = {
      ...file,
      ...(seller ? { seller } : {}),
      ...(paymentTermsDays === undefined ? {} : { paymentTermsDays }),
      ...(memo === undefined ? {} : { memo }),
      ...(grace === undefined ? {} : { gracePeriod: create(DurationSchema, { seconds: grace }) }),
      ...(backfill === undefined ? {} : { backfillWindow: create(DurationSchema, { seconds: backfill }) }),
      invoicePrefix: flags["invoice-prefix"] ?? file.invoicePrefix,
      timeZone: flags["time-zone"] ?? file.timeZone,
    };
    const answer = await service.updateTenant(request).catch((error) => {
      throw placed(error, "");
    });
    const tenant = answer.tenant as Tenant;
    this.answerOne(TenantSchema, tenant, () => tenantText(tenant));
  }
}

interface SellerFlags {
  "seller-name"?: string | undefined;
  "seller-address"?: string[] | undefined;
  "seller-tax-id"?: string | undefined;
  "seller-email"?: string | undefined;
}

/** The parts of the seller that flags name. */
function sellerOf(flags: SellerFlags): Partial<Party> {
  const { "seller-name": name, "seller-address": address, "seller-tax-id": taxId, "seller-email": email } = flags;
  return {
    ...(name === undefined ? {} : { name }),
    ...(address === undefined ? {} : { address: address.filter((line) => line !== "") }),
    ...(taxId === undefined ? {} : { taxId }),
    ...(email === undefined ? {} : { email }),
  };
}
