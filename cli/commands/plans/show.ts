import { Args, Flags } from "@oclif/core";
import {
  Alignment,
  type Flat,
  FlatTiming,
  type Percentage,
  PeriodSchema,
  type Plan,
  PlanSchema,
  type Price,
  type Tiers,
} from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import type { DimensionFilter } from "../../../gen/usageflow/v1/usage_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { type Column, facts, table } from "../../output/table.ts";
import { count, word } from "../../output/text.ts";

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
    Period: periodText(plan),
    Trial: plan.trialDays > 0 ? count(plan.trialDays, "day") : "",
    Minimum: plan.minimumAmount && `${plan.minimumAmount} per period`,
  });
  return `${head}\n\n${table(columns, plan.prices.flatMap(rowsOf))}`;
}

function periodText({ period, alignment }: Plan): string {
  const length = word(PeriodSchema, period);
  return alignment === Alignment.ANNIVERSARY ? `${length}, from where billing begins` : length;
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

/** A row for the price, and one for each thing more that it says. */
function rowsOf(price: Price): PriceRow[] {
  const [model, ...amounts] = modelTexts(price);
  const { includedQuantity, minimumAmount, maximumAmount, filter, groupBy } = price;
  if (includedQuantity) amounts.push(`the first ${includedQuantity} included`);
  if (minimumAmount) amounts.push(`at least ${minimumAmount}`);
  if (maximumAmount) amounts.push(`at most ${maximumAmount}`);
  amounts.push(...filter.map(filterText));
  if (groupBy.length > 0) amounts.push(`a line for each ${groupBy.join(" and ")}`);
  return amounts.map((amount, at) =>
    at === 0
      ? { key: price.key, metric: price.metric, model: model ?? "", amount }
      : { key: "", metric: "", model: "", amount },
  );
}

/** The name of the model, then its amounts. */
function modelTexts({ model }: Price): string[] {
  switch (model.case) {
    case "perUnit":
      return ["per unit", `${model.value.unitAmount} each`];
    case "graduated":
    case "volume":
      return [model.case, ...tierTexts(model.value)];
    case "package":
      return ["package", `${model.value.amount} per ${model.value.size}`];
    case "flat":
      return [flatWords(model.value), model.value.amount];
    case "percentage":
      return ["percentage", ...percentageTexts(model.value)];
    case undefined:
      return ["", ""]; // a model that this version of the CLI does not know
  }
}

function filterText({ property, test }: DimensionFilter): string {
  switch (test.case) {
    case "equals":
      return test.value === "" ? `only without ${property}` : `only ${property} ${test.value}`;
    case "in":
      return `only ${property} ${test.value.values.map((value) => value || "empty").join(" or ")}`;
    case "exists":
      return `only ${test.value ? "with" : "without"} ${property}`;
    case undefined:
      return `only some ${property}`; // a test that this version of the CLI does not know
  }
}

function flatWords({ timing, perSeat }: Flat): string {
  return `flat${perSeat ? " per seat" : ""}${timing === FlatTiming.IN_ADVANCE ? ", in advance" : ""}`;
}

function tierTexts({ tiers, billFlatAtZero }: Tiers): string[] {
  return tiers.map((tier, at) => {
    const bound = tier.upTo ? `up to ${tier.upTo}` : "above";
    const zero = at === 0 && billFlatAtZero ? ", without usage too" : "";
    const flat = tier.flatAmount ? `, and ${tier.flatAmount} once${zero}` : "";
    return `${bound}: ${tier.unitAmount || "0"} each${flat}`;
  });
}

function percentageTexts(model: Percentage): string[] {
  const { percent, fixedAmount, freeEvents, freeAmount, minPerEvent, maxPerEvent } = model;
  const texts = [fixedAmount ? `${percent}% and ${fixedAmount} per event` : `${percent}%`];
  if (minPerEvent) texts.push(`at least ${minPerEvent} per event`);
  if (maxPerEvent) texts.push(`at most ${maxPerEvent} per event`);
  if (freeEvents > 0) texts.push(`the first ${count(freeEvents, "event")} free`);
  if (freeAmount) texts.push(`the first ${freeAmount} free`);
  return texts;
}
