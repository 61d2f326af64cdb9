import { styleText } from "node:util";
import type { CatalogDiff, FieldChange, MetricDiff, PlanDiff } from "../../gen/usageflow/v1/catalog_diff_pb.ts";
import type { CatalogWarning } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { folded } from "./folded.ts";
import { count, fieldPath, printable } from "./text.ts";

/** What is added, taken away, made another, or lost of what others published. */
type Mark = "+" | "-" | "~" | "!";

const COLOURS = { "+": "green", "-": "red", "~": "yellow", "!": "magenta" } as const;

/** A diff as lines that a person reads: nothing where nothing changes. */
export function catalogDiffText(diff: CatalogDiff): string {
  const { metrics, plans, defaultPlan, metricsLeftAlone, plansLeftAlone } = diff;
  return [
    ...metrics.flatMap(metricLines),
    ...plans.flatMap(planLines),
    ...(defaultPlan ? [line(0, defaultPlan)] : []),
    ...leftAlone("metric", metricsLeftAlone),
    ...leftAlone("plan", plansLeftAlone),
  ].join("\n");
}

/** Whether a push changes something. */
export function isDifferent({ metrics, plans, defaultPlan }: CatalogDiff): boolean {
  return metrics.length + plans.length > 0 || defaultPlan !== undefined;
}

/** A warning of the server's, as one line. */
export function warningText({ field, message }: CatalogWarning): string {
  return `Warning: ${fieldPath(field.replace(/^catalog\./, ""))}: ${printable(message)}`;
}

function metricLines({ key, isNew, changes }: MetricDiff): string[] {
  return [marked(0, isNew ? "+" : "~", `metric ${key}`), ...changes.map((change) => line(1, change))];
}

function planLines(plan: PlanDiff): string[] {
  const { key, oldVersion, newVersion, changes, lost } = plan;
  const head =
    oldVersion === 0
      ? marked(0, "+", `plan ${key} v${newVersion}`)
      : marked(0, "~", `plan ${key} v${oldVersion} -> v${newVersion} (${stayingText(plan)})`);
  const losses = lost.map(({ path, oldValue }) =>
    marked(1, "!", `${path}: ${oldValue || "left out"} was published since, and is lost`),
  );
  return [head, ...changes.map((change) => line(1, change)), ...losses];
}

function stayingText({ staying, newVersion, isDefault }: PlanDiff): string {
  const versions = staying.map(({ version }) => version);
  const all = staying.reduce((sum, each) => sum + each.count, 0n);
  const [first, last] = [versions[0], versions.at(-1)];
  const where = first === last ? `v${first}` : `v${first}-v${last}`;
  const stay =
    all === 0n ? "no subscriptions" : `${count(all, "subscription")} ${all === 1n ? "stays" : "stay"} on ${where}`;
  return isDefault ? `${stay}; new customers get v${newVersion}` : stay;
}

function line(depth: number, { path, oldValue, newValue }: FieldChange): string {
  if (oldValue === "") return marked(depth, "+", `${path}: ${newValue}`);
  if (newValue === "") return marked(depth, "-", `${path}: ${oldValue}`);
  return marked(depth, "~", `${path}: ${oldValue} -> ${newValue}`);
}

function leftAlone(noun: string, keys: readonly string[]): string[] {
  if (keys.length === 0) return [];
  const nouns = keys.length === 1 ? noun : `${noun}s`;
  return [folded(printable(`not in the file, left alone: ${nouns} ${keys.join(", ")}`), 4)];
}

function marked(depth: number, mark: Mark, text: string): string {
  const indent = "  ".repeat(depth);
  const whole = folded(`${indent}${mark} ${printable(text)}`, indent.length + 4);
  return styleText(COLOURS[mark], whole, { stream: process.stdout });
}
