import type { Price, Tiers } from "../../gen/usageflow/v1/pricing_pb.ts";
import { bar } from "../output/bar.ts";
import { fitted, type Line, lineOf } from "./line.ts";
import { digits } from "./words.ts";

/** A tier as it is drawn: what it is for, and what a unit costs in it. */
export interface Step {
  from: string;
  to: string;
  unitAmount: string;
  flatAmount: string;
}

/** The tiers of a price, each from where the one before ends. */
export function stepsOf({ tiers }: Tiers): Step[] {
  return tiers.map(({ upTo, unitAmount, flatAmount }, at) => ({
    from: at === 0 ? "0" : (tiers[at - 1]?.upTo ?? ""),
    to: upTo,
    unitAmount: unitAmount || "0",
    flatAmount,
  }));
}

const BAR_MAX = 28;

/** Tiers as a staircase: a line each, with a bar as long as what a unit costs. For the eye; the numbers are beside it. */
export function tierLines(model: Tiers, width: number): Line[] {
  const steps = stepsOf(model);
  const ranges = steps.map(({ from, to }) => (to === "" ? `above ${digits(from)}` : `up to ${digits(to)}`));
  const rangeWidth = Math.max(...ranges.map((text) => text.length));
  const amounts = steps.map(amountWords);
  const amountWidth = Math.max(...amounts.map((text) => text.length));
  const room = width - rangeWidth - amountWidth - 5;
  const most = Math.max(...steps.map(({ unitAmount }) => Number(unitAmount)));
  return steps.map(({ unitAmount }, at) => {
    const drawn = room >= 4 ? bar(most > 0 ? Number(unitAmount) / most : 0, Math.min(room, BAR_MAX)) : "";
    return lineOf(
      { text: `  ${(ranges[at] ?? "").padStart(rangeWidth)} `, dim: true },
      { text: "│", dim: true },
      { text: fitted(drawn, Math.max(0, Math.min(room, BAR_MAX))), color: "cyan" },
      ` ${amounts[at]}`,
    );
  });
}

function amountWords({ unitAmount, flatAmount }: Step): string {
  const each = Number(unitAmount) === 0 ? "free" : `${unitAmount} each`;
  return flatAmount ? `${each}, and ${flatAmount} once` : each;
}

/** How the model of a price is called. */
export function modelWord({ model }: Price): string {
  switch (model.case) {
    case "perUnit":
      return "per unit";
    case "flat":
      return "flat fee";
    case undefined:
      return ""; // a model that this version does not know
    default:
      return model.case;
  }
}
