import { expect, test } from "vitest";
import { type Metric, metrics } from "../../server/observe/metric.ts";
import { startWorker } from "../../server/worker.ts";
import { catalog } from "../support/catalog.ts";
import { doors } from "../support/doors.ts";
import { setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { readScrape, type Scrape, sumOf } from "../support/scrape.ts";

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
