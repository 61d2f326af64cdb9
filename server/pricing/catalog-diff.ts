import { create } from "@bufbuild/protobuf";
import {
  type CatalogDiff,
  CatalogDiffSchema,
  type FieldChange,
  FieldChangeSchema,
  MetricDiffSchema,
  PlanDiffSchema,
} from "../../gen/usageflow/v1/catalog_diff_pb.ts";
import { type Catalog, type Metric, MetricSchema, type Plan, PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { inPieces } from "../give-way.ts";
import { fieldChanges } from "./field-change.ts";
import { withPlainDecimals } from "./plain-decimals.ts";

/** What is published, as far as a push looks at it. */
export interface Published {
  metrics: ReadonlyMap<string, Metric>;
  /** The latest versions. */
  plans: ReadonlyMap<string, Plan>;
  /** Key of the default plan. Empty: there is none. */
  defaultPlan: string;
}

/** What pushing a catalog changes, apart from what is known of subscriptions and of what is lost. */
export async function catalogDiff(catalog: Catalog, published: Published): Promise<CatalogDiff> {
  const defaultPlan = catalog.defaultPlan || published.defaultPlan;
  const metrics = await inPieces(catalog.metrics, (metric) => metricDiff(metric, published.metrics.get(metric.key)));
  const plans = await inPieces(catalog.plans, (plan) => planDiff(plan, published.plans.get(plan.key), defaultPlan));
  return create(CatalogDiffSchema, {
    metrics: metrics.flat(),
    plans: plans.flat(),
    ...(defaultPlan === published.defaultPlan
      ? {}
      : { defaultPlan: defaultChange(published.defaultPlan, defaultPlan) }),
    metricsLeftAlone: leftAlone(published.metrics, catalog.metrics),
    plansLeftAlone: leftAlone(published.plans, catalog.plans),
  });
}

/** What is another in a version of a plan than in one before. 0.10 is not another amount than 0.1. */
export function planChanges(before: Plan, after: Plan): FieldChange[] {
  const [old, now] = [withPlainDecimals(PlanSchema, before), withPlainDecimals(PlanSchema, after)];
  return fieldChanges(PlanSchema, old, now, ["key", "version"]);
}

function metricDiff(metric: Metric, known: Metric | undefined) {
  const changes = fieldChanges(MetricSchema, known ?? create(MetricSchema), metric, ["key"]);
  if (known && changes.length === 0) return [];
  return [create(MetricDiffSchema, { key: metric.key, isNew: !known, changes })];
}

function planDiff(plan: Plan, latest: Plan | undefined, defaultPlan: string) {
  const changes = planChanges(latest ?? create(PlanSchema), plan);
  if (latest && changes.length === 0) return [];
  const oldVersion = latest?.version ?? 0;
  const isDefault = plan.key === defaultPlan;
  return [create(PlanDiffSchema, { key: plan.key, oldVersion, newVersion: oldVersion + 1, changes, isDefault })];
}

function defaultChange(oldValue: string, newValue: string): FieldChange {
  return create(FieldChangeSchema, { path: "defaultPlan", oldValue, newValue });
}

function leftAlone(known: ReadonlyMap<string, unknown>, named: readonly { key: string }[]): string[] {
  const keys = new Set(named.map(({ key }) => key));
  return [...known.keys()].filter((key) => !keys.has(key));
}
