import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { Catalog, Package, Plan, Price, Tiers } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, isCurrency, plain, zero } from "../money.ts";
import { invalid } from "../rpc/errors.ts";

/** What a catalog may refer to without containing it. */
export interface KnownKeys {
  metrics: ReadonlySet<string>;
  plans: ReadonlySet<string>;
}

/**
 * Refuses a catalog that contradicts itself or names what does not exist, with the path of the first field at fault and
 * what it may be. The contract's own limits have been checked.
 */
export function checkCatalog(catalog: Catalog, known: KnownKeys): void {
  const metrics = new Set([...known.metrics, ...catalog.metrics.map((metric) => metric.key)]);
  const plans = new Set([...known.plans, ...catalog.plans.map((plan) => plan.key)]);
  checkKeys("catalog.metrics", catalog.metrics);
  checkKeys("catalog.plans", catalog.plans);
  for (const [i, plan] of catalog.plans.entries()) checkPlan(`catalog.plans[${i}]`, plan, metrics);
  const { defaultPlan } = catalog;
  if (defaultPlan && !plans.has(defaultPlan)) {
    throw wrong("catalog.default_plan", `must be a plan of this catalog or one that exists, and is "${defaultPlan}"`);
  }
}

function checkPlan(path: string, plan: Plan, metrics: ReadonlySet<string>): void {
  if (!isCurrency(plan.currency)) {
    throw wrong(`${path}.currency`, `must be an ISO 4217 code such as USD, and is "${plan.currency}"`);
  }
  checkKeys(`${path}.prices`, plan.prices);
  for (const [i, price] of plan.prices.entries()) checkPrice(`${path}.prices[${i}]`, price, metrics);
}

function checkPrice(path: string, price: Price, metrics: ReadonlySet<string>): void {
  const { metric, model } = price;
  if (model.case === "flat") {
    if (metric) throw wrong(`${path}.metric`, "must be empty: a flat price does not depend on usage");
    return;
  }
  if (!metric) throw wrong(`${path}.metric`, "must name the metric that is priced; only a flat price has none");
  if (!metrics.has(metric)) {
    throw wrong(`${path}.metric`, `must be a metric of this catalog or one that exists, and is "${metric}"`);
  }
  if (model.case === "graduated" || model.case === "volume") checkTiers(`${path}.${model.case}`, model.value);
  if (model.case === "package") checkPackage(`${path}.package`, model.value);
}

function checkTiers(path: string, { tiers }: Tiers): void {
  let floor = zero;
  for (const [i, { upTo }] of tiers.entries()) {
    const field = `${path}.tiers[${i}].up_to`;
    const last = i === tiers.length - 1;
    if (last && upTo) throw wrong(field, "must be empty: the last tier has no bound");
    if (!last && !upTo) throw wrong(field, "must be given: only the last tier has no bound");
    if (!upTo) continue;
    const bound = decimal(upTo);
    if (bound.lte(floor)) throw wrong(field, `must be more than ${plain(floor)}, where this tier begins`);
    floor = bound;
  }
}

function checkPackage(path: string, { size }: Package): void {
  if (decimal(size).lte(zero)) throw wrong(`${path}.size`, "must be more than 0");
}

function checkKeys(path: string, items: readonly { key: string }[]): void {
  const places = new Map<string, string>();
  for (const [i, { key }] of items.entries()) {
    const field = `${path}[${i}].key`;
    const first = places.get(key);
    if (first) throw wrong(field, `must be unique, and "${key}" is ${first} too`);
    places.set(key, field);
  }
}

function wrong(path: string, message: string): Error {
  return invalid(path, message, ErrorReason.INVALID_CATALOG);
}
