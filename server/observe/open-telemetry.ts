import { randomUUID } from "node:crypto";
import {
  type Context,
  type Counter,
  diag,
  type Histogram,
  type Meter,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace as traces,
} from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Config } from "../config.ts";
import { errorFacts, type Log } from "../log.ts";
import { packageVersion } from "../version.ts";
import { writtenFacts } from "./fact.ts";
import { type GaugeName, type Metric, type MetricName, metrics } from "./metric.ts";
import {
  isMetering,
  noSpan,
  type Observer,
  type OpenSpan,
  type SpanName,
  type SpanStart,
  type Tell,
} from "./observer.ts";
import type { Trace } from "./trace.ts";

const SCOPE = "usageflow";
const EXPORT_TIMEOUT_MS = 10_000;

const KINDS: Record<SpanName, SpanKind> = {
  rpc: SpanKind.SERVER,
  "usage.commit": SpanKind.PRODUCER,
  "usage.fold": SpanKind.CONSUMER,
  "invoice.draft": SpanKind.INTERNAL,
  "invoice.finalize": SpanKind.INTERNAL,
  "event.dispatch": SpanKind.CONSUMER,
  "delivery.attempt": SpanKind.CLIENT,
};

/** Tells OpenTelemetry's own packages of the server's work. Loaded only where somebody listens. */
export function createOpenTelemetry(config: Config, log: Log): Observer {
  diag.setLogger({ ...silent, warn: tell(log), error: tell(log) }, { suppressOverrideMessage: true });
  const resource = defaultResource()
    .merge(
      resourceFromAttributes({
        "service.name": "usageflow",
        "service.version": packageVersion(),
        "service.instance.id": randomUUID(),
      }),
    )
    .merge(detectResources({ detectors: [envDetector] })); // OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const readers = config.otlpMetricsUrl
    ? [
        new PeriodicExportingMetricReader({
          exporter: new OTLPMetricExporter({ url: config.otlpMetricsUrl }),
          exportIntervalMillis: config.otlpMetricsIntervalMs,
          exportTimeoutMillis: Math.min(EXPORT_TIMEOUT_MS, config.otlpMetricsIntervalMs),
        }),
      ]
    : [];
  const meters = new MeterProvider({ resource, readers: [prometheus, ...readers] });
  const tracers = config.otlpTracesUrl
    ? new TracerProvider({
        resource,
        sampler: samplerOf(config),
        spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: config.otlpTracesUrl }) })],
      })
    : undefined;
  const meter = meters.getMeter(SCOPE);
  const { counters, histograms } = instruments(meter);
  const tracer = tracers?.getTracer(SCOPE);
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);
  const all = tracers ? [meters, tracers] : [meters];
  return {
    metering: isMetering(config),
    tracing: tracer !== undefined,
    count: (name, labels, by = 1) => counters.get(name)?.add(by, labels),
    record: (name, labels, value) => histograms.get(name)?.record(value, labels),
    watch: (names, read) => watch(meter, names, read),
    begin: (name, start = {}) => (tracer ? begin(tracer, name, start) : noSpan),
    async scrape() {
      const { resourceMetrics } = await prometheus.collect();
      return `${serializer.serialize(resourceMetrics)}\n`;
    },
    flush: async () => void (await Promise.allSettled(all.map((one) => one.forceFlush()))),
    close: async () => void (await Promise.allSettled(all.map((one) => one.shutdown()))),
  };
}

const silent = { verbose() {}, debug() {}, info() {}, warn() {}, error() {} };

/** What the packages complain of: an endpoint that cannot be reached, above all. */
function tell(log: Log) {
  return (message: string, ...about: unknown[]) => {
    const error = about.find((one) => one instanceof Error);
    log.warn("observe.trouble", error ? errorFacts(error) : { error: message });
  };
}

function samplerOf({ traceShare, traceByCaller }: Config): Sampler {
  const root = new TraceIdRatioBasedSampler(traceShare);
  return traceByCaller ? new ParentBasedSampler({ root }) : root;
}

function instruments(meter: Meter): { counters: Map<MetricName, Counter>; histograms: Map<MetricName, Histogram> } {
  const counters = new Map<MetricName, Counter>();
  const histograms = new Map<MetricName, Histogram>();
  for (const [name, { kind, ...metric }] of Object.entries(metrics) as [MetricName, Metric][]) {
    const options = { unit: metric.unit, description: metric.help };
    if (kind === "counter") {
      const counter = meter.createCounter(name, options);
      counters.set(name, counter);
      // From the start, or the first one ever would be no increase.
      const [label] = metric.labels;
      if (!label) counter.add(0, {});
      else for (const value of metric.known ?? []) counter.add(0, { [label]: value });
    } else if (kind === "histogram") {
      const advice = { explicitBucketBoundaries: [...(metric.bounds ?? [])] };
      histograms.set(name, meter.createHistogram(name, { ...options, advice }));
    }
  }
  return { counters, histograms };
}

function watch(meter: Meter, names: readonly GaugeName[], read: (tell: Tell) => void | Promise<void>): void {
  const gauges = new Map(
    names.map((name) => {
      const { unit, help }: Metric = metrics[name];
      return [name, meter.createObservableGauge(name, { unit, description: help })];
    }),
  );
  meter.addBatchObservableCallback(
    async (result) => {
      await read((name, labels, value) => {
        const gauge = gauges.get(name);
        if (gauge) result.observe(gauge, value, labels);
      });
    },
    [...gauges.values()],
  );
}

function begin(tracer: Tracer, name: SpanName, { parent, links = [], startedAt }: SpanStart): OpenSpan {
  const span = tracer.startSpan(
    name,
    {
      kind: KINDS[name],
      links: links.map((link) => ({ context: toContext(link) })),
      ...(startedAt === undefined ? {} : { startTime: startedAt }),
    },
    under(parent),
  );
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    trace: { traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 },
    end(facts, failed) {
      if (facts) span.setAttributes(writtenFacts(facts));
      if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

function under(parent: Trace | undefined): Context {
  return parent ? traces.setSpanContext(ROOT_CONTEXT, { ...toContext(parent), isRemote: true }) : ROOT_CONTEXT;
}

function toContext({ traceId, spanId, sampled }: Trace): SpanContext {
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}
