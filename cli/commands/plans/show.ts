import { Args, Flags } from "@oclif/core";
import {
  FlatTiming,
  PeriodSchema,
  type Plan,
  PlanSchema,
  type Price,
  type Tiers,
} from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { type Column, facts, table } from "../../output/table.ts";
import { word } from "../../output/text.ts";

export default class PlansShow extends ClientCommand {
  static override summary = "Show a plan with its prices.";
  static override description = "The latest version, or any earlier one with --plan-version.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> pro",
    "<%= config.bin %> <%= command.id %> pro --plan-version 1 --json",
  ];
  static override args = { plan: Args.string({ required: true, description: "Its key." }) };
  static override flags = {
    "plan-version": Flags.integer({ description: "This version.", min: 1 }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(PlansShow);
    const service = await this.client(PricingService, flags);
    const { plan } = await service.getPlan({ key: args.plan, version: flags["plan-version"] ?? 0 });
    this.answerOne(PlanSchema, plan as Plan, () => planText(plan as Plan));
  }
}

function planText(plan: Plan): string {
  const head = facts({
    Plan: plan.key,
    Name: plan.name,
    Version: String(plan.version),
    Currency: plan.currency,
    Period: word(PeriodSchema, plan.period),
  });
  return `${head}\n\n${table(columns, plan.prices.flatMap(rowsOf))}`;
}

interface PriceRow {
  key: string;
  metric: string;
  model: string;
  amount: string;
}

const columns: Column<PriceRow>[] = [
  { title: "PRICE", value: (row) => row.key },
  { title: "METRIC", value: (row) => row.metric },
  { title: "MODEL", value: (row) => row.model },
  { title: "AMOUNT", value: (row) => row.amount },
];

function rowsOf(price: Price): PriceRow[] {
  const row = (model: string, amount: string) => ({ key: price.key, metric: price.metric, model, amount });
  const { model } = price;
  switch (model.case) {
    case "perUnit":
      return [row("per unit", `${model.value.unitAmount} each`)];
    case "graduated":
    case "volume":
      return tierTexts(model.value).map((text, at) =>
        at === 0 ? row(model.case, text) : { key: "", metric: "", model: "", amount: text },
      );
    case "package":
      return [row("package", `${model.value.amount} per ${model.value.size}`)];
    case "flat":
      return [row(model.value.timing === FlatTiming.IN_ADVANCE ? "flat, in advance" : "flat", model.value.amount)];
    case undefined:
      return [row("", "")]; // a model that this version of the CLI does not know
  }
}

function tierTexts({ tiers }: Tiers): string[] {
  return tiers.map((tier) => {
    const bound = tier.upTo ? `up to ${tier.upTo}` : "above";
    const flat = tier.flatAmount ? `, and ${tier.flatAmount} once` : "";
    return `${bound}: ${tier.unitAmount || "0"} each${flat}`;
  });
}
