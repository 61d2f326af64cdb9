import {
  Alignment,
  FlatTiming,
  type Percentage,
  PeriodSchema,
  type Plan,
  type Price,
} from "../../gen/usageflow/v1/pricing_pb.ts";
import { count, printable, word } from "../output/text.ts";
import { type Line, line, lineOf } from "./line.ts";
import { modelWord, tierLines } from "./tiers.ts";
import { digits } from "./words.ts";

/** A plan with its prices: tiers as a staircase, the others in words. */
export function planLines(plan: Plan, width: number): Line[] {
  const facts = [
    plan.currency,
    word(PeriodSchema, plan.period) + (plan.alignment === Alignment.ANNIVERSARY ? ", from where billing begins" : ""),
    ...(plan.trialDays > 0 ? [`${count(plan.trialDays, "day")} of trial`] : []),
    ...(plan.minimumAmount ? [`at least ${plan.minimumAmount} a period`] : []),
  ];
  return [
    lineOf({ text: printable(plan.name || plan.key), bold: true }, `  version ${plan.version}`),
    line(facts.join(" · "), { dim: true }),
    ...plan.prices.flatMap((price) => [line(""), ...priceLines(price, width)]),
  ];
}

function priceLines(price: Price, width: number): Line[] {
  const { key, name, metric, model, includedQuantity, minimumAmount, maximumAmount, filter, groupBy } = price;
  const about = [metric, modelWord(price)].filter((text) => text !== "").join(" · ");
  const also = [
    ...(includedQuantity ? [`the first ${digits(includedQuantity)} included`] : []),
    ...(minimumAmount ? [`at least ${minimumAmount}`] : []),
    ...(maximumAmount ? [`at most ${maximumAmount}`] : []),
    ...filter.map(({ property }) => `only some ${printable(property)}`),
    ...(groupBy.length > 0 ? [`a line for each ${printable(groupBy.join(" and "))}`] : []),
  ];
  const tiers = model.case === "graduated" || model.case === "volume" ? tierLines(model.value, width) : [];
  return [
    lineOf({ text: printable(name || key), bold: true }, { text: `  ${about}`, dim: true }),
    ...(tiers.length > 0 ? tiers : [line(`  ${amountWords(price)}`)]),
    ...(also.length > 0 ? [line(`  ${also.join(", ")}`)] : []),
  ];
}

function amountWords({ model }: Price): string {
  switch (model.case) {
    case "perUnit":
      return `${model.value.unitAmount} each`;
    case "package":
      return `${model.value.amount} per ${digits(model.value.size)}`;
    case "flat": {
      const each = model.value.perSeat ? " a seat" : "";
      return `${model.value.amount}${each}${model.value.timing === FlatTiming.IN_ADVANCE ? ", in advance" : ""}`;
    }
    case "percentage":
      return percentageWords(model.value);
    default:
      return "";
  }
}

function percentageWords({
  percent,
  fixedAmount,
  freeEvents,
  freeAmount,
  minPerEvent,
  maxPerEvent,
}: Percentage): string {
  return [
    fixedAmount ? `${percent} % and ${fixedAmount} per event` : `${percent} %`,
    ...(minPerEvent ? [`at least ${minPerEvent} per event`] : []),
    ...(maxPerEvent ? [`at most ${maxPerEvent} per event`] : []),
    ...(freeEvents > 0 ? [`the first ${count(freeEvents, "event")} free`] : []),
    ...(freeAmount ? [`the first ${freeAmount} free`] : []),
  ].join(", ");
}
