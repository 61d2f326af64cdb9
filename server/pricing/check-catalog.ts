import { Aggregation, type Catalog, type Metric, type Plan, type Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import { inPieces } from "../give-way.ts";
import { dimensionProblem } from "../usage/dimension.ts";
import { checkCurrency, checkPrice, wrong } from "./check-price.ts";
import { MINIMUM_KEY, planMinimum } from "./plan.ts";

/** What a catalog may refer to without containing it. */
export interface Known {
  /** Metrics by key. */
  metrics: ReadonlyMap<string, Metric>;
  /** Keys of plans. */
  plans: ReadonlySet<string>;
}

/**
 * Refuses a catalog that contradicts itself or names what does not exist, with the path of the first field at fault and
 * what it may be. The contract's own limits have been checked.
 */
export async function checkCatalog(catalog: Catalog, known: Known): Promise<void> {
  const metrics = new Map([...known.metrics, ...catalog.metrics.map((metric) => [metric.key, metric] as const)]);
  const plans = new Set([...known.plans, ...catalog.plans.map((plan) => plan.key)]);
  checkKeys("catalog.metrics", catalog.metrics);
  checkKeys("catalog.plans", catalog.plans);
  await inPieces(catalog.plans, (plan, i) => checkPlan(`catalog.plans[${i}]`, plan, metrics));
  const { defaultPlan } = catalog;
  if (defaultPlan && !plans.has(defaultPlan)) {
    throw wrong("catalog.default_plan", `must be a plan of this catalog or one that exists, and is "${defaultPlan}"`);
  }
}

/** Refuses a plan that contradicts itself, or names a metric that is not among those given. */
export function checkPlan(path: string, plan: Plan, metrics: ReadonlyMap<string, Metric>): void {
  checkCurrency(`${path}.currency`, plan.currency);
  checkKeys(`${path}.prices`, plan.prices);
  for (const [i, price] of plan.prices.entries()) {
    const here = `${path}.prices[${i}]`;
    if (price.key === MINIMUM_KEY && planMinimum(plan)) {
      throw wrong(`${here}.key`, `must not be "${MINIMUM_KEY}": the line for the plan's minimum amount has that key`);
    }
    checkMetric(here, price, metrics);
    checkPrice(here, price);
  }
}

function checkMetric(path: string, price: Price, metrics: ReadonlyMap<string, Metric>): void {
  const { metric: key, model } = price;
  const field = `${path}.metric`;
  if (model.case === "flat") {
    if (key) throw wrong(field, "must be empty: a flat price does not depend on usage");
    return;
  }
  if (!key) throw wrong(field, "must name the metric that is priced; only a flat price has none");
  const metric = metrics.get(key);
  if (!metric) throw wrong(field, `must be a metric of this catalog or one that exists, and is "${key}"`);
  const problem = dimensionProblem(metric, price);
  if (problem) throw wrong(`${path}.${problem.field}`, problem.message);
  if (model.case === "percentage" && metric.aggregation !== Aggregation.SUM) {
    throw wrong(field, `must be a SUM metric: a percentage is taken of amounts, and "${key}" is none`);
  }
}

function checkKeys(path: string, items: readonly { key: string }[]): void {
  const places = new Map<string, string>();
  for (const [i, { key }] of items.entries()) {
    const field = `${path}[${i}].key`;
    if (!key) throw wrong(field, "must be given");
    const first = places.get(key);
    if (first) throw wrong(field, `must be unique, and "${key}" is ${first} too`);
    places.set(key, field);
  }
}
