import { type Plan, type Price, PriceSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { parseMessage, readText } from "./message-file.ts";
import { found, readPlanOfCatalog } from "./plan-source.ts";

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
  const { plan, at, placed } = await readPlanOfCatalog(name, planKey);
  const source = priceOfPlan(plan, priceKey);
  const here = `${at}.prices[${plan.prices.indexOf(source.price)}]`;
  return { ...source, placed: (error) => placed(error, "price", here) };
}

/** A price of a plan that is published. */
export function priceOfPlan(plan: Plan, priceKey: string): PriceSource {
  const price = found(plan.prices, `price "${priceKey}" in plan "${plan.key}"`, priceKey);
  return { price, currency: plan.currency, placed: (error) => error };
}
