import { readFile } from "node:fs/promises";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { type ErrorReason, ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";
import { type Metric, metrics } from "../../server/observe/metric.ts";
import { codeName } from "../../server/rpc/errors.ts";
import { reasonName } from "../../server/rpc/plain-answer.ts";
import { startWorker } from "../../server/worker.ts";
import { catalog } from "../support/catalog.ts";
import { doors } from "../support/doors.ts";
import { setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { readScrape, type Scrape, sumOf } from "../support/scrape.ts";
import { alertRules, dashboardTargets, metricsTable, readsOf, runbookNames } from "./operations.ts";

const TOKEN = "a-token-of-the-operator";
const withToken = { headers: { authorization: `Bearer ${TOKEN}` } };

/** What the small journey told: written by the first test. */
let told: Scrape = new Map();

test("a small journey is told in metrics: every one there is, with its labels and nobody's name", async () => {
  const { api, app, clients, clock, tenant, advanceTo } = await setup({
    config: { emulator: true, metricsToken: TOKEN },
  });
  const scrape = async () => await (await fetch(`${api.url}/metrics`, withToken)).text();
  const receiver = await startReceiver();
  await clients.pricing.pushCatalog({ catalog });
  await clients.webhook.createEndpoint({ url: receiver.url });
  for (const [name, track] of Object.entries(doors)) {
    const event = { metric: "API_CALL", amount: "1", customerId: "ann", idempotencyKey: name };
    const events = [event, { ...event, amount: "2" }, { ...event, metric: "NONE" }];
    await track(api.url, { "x-usageflow-api-key": tenant.testKey }, events);
  }
  const waiting = readScrape(await scrape());
  expect(sumOf(waiting, "usageflow_usage_batches_waiting")).toBe(6);
  await advanceTo("2015-06-01T01:00:00Z");
  expect(sumOf(readScrape(await scrape()), "usageflow_usage_batches_waiting")).toBe(6); // asked once in ten seconds
  clock.advance(10_000);
  await startWorker(app).close();
  for await (const _ of clients.tenant.exportAudit({}));
  await clients.invoice.getInvoice({ id: "INV-404404" }).catch(() => {});

  const text = await scrape();
  told = readScrape(text);
  const value = (name: string, labels?: Record<string, string>) => sumOf(told, name, labels);
  expect(value("usageflow_usage_events_total", { outcome: "accepted" })).toBe(6);
  expect(value("usageflow_usage_events_total", { outcome: "conflict" })).toBe(6);
  expect(value("usageflow_usage_events_total", { outcome: "rejected" })).toBe(6);
  expect(value("usageflow_usage_batches_waiting")).toBe(0);
  const calls = (method: string, code: string) => value("usageflow_rpc_duration_seconds_count", { method, code });
  expect(calls("usageflow.v1.UsageService/TrackUsage", "ok")).toBe(5);
  expect(calls("POST /api/track", "ok")).toBe(1);
  expect(calls("usageflow.v1.InvoiceService/GetInvoice", "not_found")).toBe(1);
  expect(value("usageflow_invoices_finalized_total")).toBe(1);
  expect(value("usageflow_close_duration_seconds_count", { step: "close" })).toBeGreaterThan(0);
  const sent = value("usageflow_delivery_attempt_duration_seconds_count", { result: "delivered", status_class: "2xx" });
  expect(sent).toBe(receiver.got.length);
  expect(sent).toBeGreaterThan(3);
  expect(value("usageflow_delivery_first_byte_seconds_count")).toBe(sent);

  for (const [name, { kind, labels }] of Object.entries(metrics) as [string, Metric][]) {
    const samples = told.get(kind === "histogram" ? `${name}_count` : name) ?? [];
    expect([name, samples.length > 0]).toEqual([name, true]);
    for (const sample of samples) expect(Object.keys(sample.labels).sort()).toEqual([...labels].sort());
  }
  for (const secret of [tenant.testKey, tenant.testId, "ann", receiver.url, "INV-", "usageflow_test"]) {
    expect(text).not.toContain(secret);
  }
});

/** Values of labels that a small journey does not bring about. */
const RARE: Record<string, readonly string[]> = {
  code: Object.values(Code).flatMap((code) => (typeof code === "number" ? codeName(code) : [])),
  result: ["worked", "idle", "failed", "delivered", "retried", "given_up"],
  reason: ErrorReasonSchema.values.map(({ number }) => reasonName(number as ErrorReason)),
};
const FUNCTIONS = [
  "sum",
  "max",
  "rate",
  "increase",
  "histogram_quantile",
  "topk",
  "absent",
  "min_over_time",
  "and",
  "or",
];

/** What an expression asks for that nobody tells. */
function strangeIn(expr: string): string[] {
  const { metrics: read, by, words } = readsOf(expr);
  const labels = new Set(["instance", "job"]);
  const strange = words.filter((word) => !FUNCTIONS.includes(word)).map((word) => `the word ${word}`);
  for (const { name, matchers } of read) {
    if (name === "up") continue; // Prometheus' own
    const samples = told.get(name) ?? [];
    if (samples.length === 0) strange.push(name);
    for (const sample of samples) for (const label of Object.keys(sample.labels)) labels.add(label);
    for (const { label, values } of matchers) {
      const seen = [...samples.map((sample) => sample.labels[label]), ...(RARE[label] ?? [])];
      strange.push(...values.filter((value) => !seen.includes(value)).map((value) => `${name}{${label}="${value}"}`));
    }
  }
  return [...strange, ...by.filter((label) => !labels.has(label)).map((label) => `by ${label}`)];
}

/** Labels that a text shows, which its expression has thrown away. */
function lostLabels(text: string, expr: string): string[] {
  const { by, metrics: read } = readsOf(expr);
  const kept = expr.includes(" by (")
    ? by
    : ["instance", ...read.flatMap(({ name }) => Object.keys(told.get(name)?.[0]?.labels ?? {}))];
  return [...text.matchAll(/\{\{ ?(?:\$labels\.)?(\w+) ?\}\}/g)]
    .map(([, label = ""]) => label)
    .filter((label) => !kept.includes(label));
}

test("each alert asks for what is told, and the runbook says what to do about it", async () => {
  const rules = await alertRules();
  for (const { alert, expr, annotations } of rules) {
    expect([alert, strangeIn(expr)]).toEqual([alert, []]);
    expect([alert, lostLabels(annotations.summary, expr)]).toEqual([alert, []]);
  }
  expect(rules.every(({ labels }) => ["page", "ticket"].includes(labels.severity))).toBe(true);
  expect(await runbookNames()).toEqual(rules.map(({ alert }) => alert));
});

test("each panel of the dashboard asks for what is told, and each metric is in one", async () => {
  const targets = await dashboardTargets();
  for (const { title, expr, legend } of targets) {
    expect([title, strangeIn(expr)]).toEqual([title, []]);
    expect([title, lostLabels(legend, expr)]).toEqual([title, []]);
  }
  const shown = targets.flatMap(({ expr }) =>
    readsOf(expr).metrics.map(({ name }) => name.replace(/_(count|bucket)$/, "")),
  );
  expect(Object.keys(metrics).filter((name) => !shown.includes(name))).toEqual([]);
});

test("an expression with a word mistyped is found", () => {
  for (const wrong of [
    "usageflow_usage_lag",
    "max by (tenant) (usageflow_usage_lag_seconds)",
    "maxi(usageflow_usage_lag_seconds)",
  ]) {
    expect(strangeIn(wrong)).toHaveLength(1);
  }
  expect(strangeIn('usageflow_rpc_duration_seconds_count{code="nope"}')).toHaveLength(1);
});

test("the page of operations lists every metric", async () => {
  const path = new URL("../../docs/operations/README.md", import.meta.url).pathname;
  const page = await readFile(path, "utf8");
  // What has changed is written by: npx vitest run test/observe -u
  await expect(page.replace(/\| metric \|[\s\S]*?(?=\n\n)/, () => metricsTable())).toMatchFileSnapshot(path);
});
