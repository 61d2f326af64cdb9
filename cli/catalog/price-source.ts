import { CatalogSchema, type Plan, type Price, PriceSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { CliError } from "../cli-error.ts";
import { parseMessage, readText } from "./message-file.ts";

/** A price, wherever it stands, and the way back from an error of the server's to there. */
export interface PriceSource {
  price: Price;
  /** Of its plan. Empty where it has none. */
  currency: string;
  /** The error with its place in the file, when it names a field of the price; else as it is. */
  placed(error: unknown): unknown;
}

/** A price that is a file of its own, or stdin for `-`. */
export async function readPriceFile(name: string): Promise<PriceSource> {
  const { message, placed } = parseMessage(PriceSchema, await readText(name), name);
  return { price: message, currency: "", placed: (error) => placed(error, "price") };
}

/** A price of a catalog file, by the keys of its plan and its own. */
export async function readPriceOfCatalog(name: string, planKey: string, priceKey: string): Promise<PriceSource> {
  const { message, placed } = parseMessage(CatalogSchema, await readText(name), name);
  const plan = found(message.plans, `plan "${planKey}" in ${name}`, planKey);
  const source = priceOfPlan(plan, priceKey);
  const at = `plans[${message.plans.indexOf(plan)}].prices[${plan.prices.indexOf(source.price)}]`;
  return { ...source, placed: (error) => placed(error, "price", at) };
}

/** A price of a plan that is published. */
export function priceOfPlan(plan: Plan, priceKey: string): PriceSource {
  const price = found(plan.prices, `price "${priceKey}" in plan "${plan.key}"`, priceKey);
  return { price, currency: plan.currency, placed: (error) => error };
}

function found<T extends { key: string }>(items: readonly T[], what: string, key: string): T {
  const item = items.find((each) => each.key === key);
  if (item) return item;
  const hint = `There are: ${items.map((each) => each.key).join(", ")}`;
  throw new CliError("not_found", `there is no ${what}`, { hint });
}
