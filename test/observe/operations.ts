import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { type Metric, metrics } from "../../server/observe/metric.ts";

// The files that an operator loads into Prometheus and Grafana, as far as a test has to read them.

const folder = new URL("../../docs/operations/", import.meta.url);
const read = (name: string) => readFile(new URL(name, folder), "utf8");

/** A rule of Prometheus. */
export interface AlertRule {
  alert: string;
  expr: string;
  for: string;
  labels: { severity: string };
  annotations: { summary: string };
}

/** All alerts. */
export async function alertRules(): Promise<AlertRule[]> {
  const { groups } = parse(await read("alerts.yaml")) as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

interface Panel {
  title: string;
  targets?: { expr: string; legendFormat: string }[];
}

/** What the dashboard asks for, with the legend that is made of it. */
export async function dashboardTargets(): Promise<{ title: string; expr: string; legend: string }[]> {
  const { panels } = JSON.parse(await read("dashboard.json")) as { panels: Panel[] };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat: legend }) => ({ title, expr, legend })),
  );
}

/** The alerts that the runbook has a paragraph for. */
export async function runbookNames(): Promise<string[]> {
  const paragraphs = (await read("runbook.md")).split(/^## /m).slice(1);
  return paragraphs.filter((text) => text.split("\n").join(" ").length > 150).map((text) => text.split("\n")[0] ?? "");
}

/** What an expression of PromQL reads. */
export interface Reads {
  metrics: { name: string; matchers: { label: string; values: string[] }[] }[];
  /** Labels that remain, where it names them. */
  by: string[];
  /** Words that are neither: functions, operators, and what was mistyped. */
  words: string[];
}

/** Takes an expression apart, as far as ours go. */
export function readsOf(expr: string): Reads {
  const selectors = [...expr.matchAll(/\b(usageflow_\w+|up)\b(?:\{([^}]*)\})?/g)];
  const by = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) =>
    list.split(",").map((one) => one.trim()),
  );
  const rest = expr.replaceAll(/\b(usageflow_\w+|up)\b(\{[^}]*\})?|\bby \([^)]*\)|\[[^\]]*\]/g, " ");
  return {
    metrics: selectors.map(([, name = "", matchers = ""]) => ({
      name,
      matchers: [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"([^"]*)"/g)].map(([, label = "", text = ""]) => ({
        label,
        values: text.split("|"),
      })),
    })),
    by,
    words: rest.match(/[a-z_]+/g) ?? [],
  };
}

/** Every metric, as the page of operations lists them. */
export function metricsTable(): string {
  const rows = (Object.entries(metrics) as [string, Metric][]).map(
    ([name, { kind, labels, help }]) =>
      `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`,
  );
  return ["| metric | kind | labels | what it tells |", "|---|---|---|---|", ...rows].join("\n");
}
