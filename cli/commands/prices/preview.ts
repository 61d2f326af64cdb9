import { Flags } from "@oclif/core";
import type { InvoiceLineStep } from "../../../gen/usageflow/v1/invoice_pb.ts";
import type { Plan } from "../../../gen/usageflow/v1/pricing_pb.ts";
import {
  type PreviewPriceResponse,
  PreviewPriceResponseSchema,
  PricingService,
} from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { type PriceSource, priceOfPlan, readPriceFile, readPriceOfCatalog } from "../../catalog/price-source.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { type Column, table } from "../../output/table.ts";
import { money } from "../../output/text.ts";

export default class PricesPreview extends ClientCommand {
  static override summary = "Work out what a price comes to, step by step.";
  static override description =
    `By the rules that make the invoices. The price is a file of its own, a price of a catalog file, or one of a plan that is published. Nothing is stored.

A percentage is taken of single events, so it needs their amounts instead of a quantity.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --file price.yaml --currency USD --quantity 150",
    "<%= config.bin %> <%= command.id %> --catalog catalog.yaml --plan pro --price calls --quantity 150",
    "<%= config.bin %> <%= command.id %> --plan pro --price payments --event-amounts 19.90,250 --json",
  ];
  static override flags = {
    file: Flags.string({ description: "The price: YAML or JSON, or - for stdin.", exactlyOne: ["file", "plan"] }),
    plan: Flags.string({ description: "Key of the plan that has the price.", dependsOn: ["price"] }),
    price: Flags.string({ description: "Key of the price in the plan.", dependsOn: ["plan"] }),
    catalog: Flags.string({
      description: "The file that has the plan. Default: what is published.",
      dependsOn: ["plan"],
    }),
    currency: Flags.string({ description: "The currency, such as USD. Default: the plan's; a file has none." }),
    quantity: Flags.string({ description: "What was used in a period.", exclusive: ["event-amounts"] }),
    "event-amounts": Flags.string({
      description: "The amounts of a period's events, in their order.",
      multiple: true,
      delimiter: ",",
    }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(PricesPreview);
    const service = await this.client(PricingService, flags);
    const readPlan = async (key: string) => (await service.getPlan({ key })).plan as Plan;
    const { price, placed, ...source } = await readPrice(flags, readPlan);
    const currency = flags.currency ?? source.currency;
    if (!currency) throw new CliError("usage", "--currency is needed: a price in a file of its own has none");
    const request = { currency, price, quantity: flags.quantity ?? "", eventAmounts: flags["event-amounts"] ?? [] };
    const answer = await service.previewPrice(request).catch((error) => {
      throw placed(error);
    });
    this.answerOne(PreviewPriceResponseSchema, answer, () => previewText(answer, currency));
  }
}

interface SourceFlags {
  file?: string | undefined;
  plan?: string | undefined;
  price?: string | undefined;
  catalog?: string | undefined;
}

async function readPrice(flags: SourceFlags, readPlan: (key: string) => Promise<Plan>): Promise<PriceSource> {
  const { file, catalog, plan = "", price = "" } = flags; // without a file, the last two are given
  if (file !== undefined) return readPriceFile(file);
  if (catalog !== undefined) return readPriceOfCatalog(catalog, plan, price);
  return priceOfPlan(await readPlan(plan), price);
}

const columns: Column<Pick<InvoiceLineStep, "description" | "quantity" | "unitAmount" | "amount">>[] = [
  { title: "STEP", value: (row) => row.description, cut: true },
  { title: "QUANTITY", value: (row) => row.quantity, right: true },
  { title: "EACH", value: (row) => row.unitAmount, right: true },
  { title: "AMOUNT", value: (row) => row.amount, right: true },
];

function previewText({ steps, amountMinor, exactAmount }: PreviewPriceResponse, currency: string): string {
  const total = { quantity: "", unitAmount: "" };
  return table(columns, [
    ...steps,
    { ...total, description: "Exact", amount: exactAmount },
    { ...total, description: "Total", amount: money(amountMinor, currency) },
  ]);
}
